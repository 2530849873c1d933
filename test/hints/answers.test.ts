import { ANSWERS, UNKNOWN } from './answers.ts';
import { causesOf, showing } from './showing.ts';

showing('what an operator reads when a gateway answers with an error', causesOf([...ANSWERS, ...UNKNOWN]));
