import { AGENTS_THAT_CANNOT, ANSWERS, DOCUMENTS, HELLO, REMOVALS } from './own.ts';
import { showing } from './showing.ts';

// The shortest time after which an agent counts as silent.
const settings = { CHECKIN_TIMEOUT_SECONDS: '5' };

showing(
  'what an operator reads of what this server finds wrong itself',
  [...HELLO, ...ANSWERS, ...AGENTS_THAT_CANNOT, ...DOCUMENTS, ...REMOVALS],
  settings,
);
