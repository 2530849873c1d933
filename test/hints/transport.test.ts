import { causesOf, showing } from './showing.ts';
import { TRANSPORT } from './transport.ts';

// So that one agent of a gateway waits for another one.
const settings = { PROVISION_CONCURRENCY: '1' };

showing('what an operator reads when a gateway cannot be reached', causesOf(TRANSPORT), settings);
