import { HANDSHAKE } from './handshake.ts';
import { causesOf, showing } from './showing.ts';

showing('what an operator reads when a gateway refuses to be connected to', causesOf(HANDSHAKE));
