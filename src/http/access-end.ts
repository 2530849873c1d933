import type { ServerResponse } from 'node:http';
import { GraphQLError } from 'graphql';
import type { SignedIn } from '../access/authenticate.ts';
import type { EndOfAccess, LiveCredentials } from '../access/live-credentials.ts';
import { type Presentation, presentError } from './errors.ts';
import type { Results } from './results.ts';

/** Clients of graphql-ws connect again after this one, with the token that they have then. */
const FORBIDDEN = 4403;

/** Closes a socket whose credential is not what it was. */
export function closeForEnd(socket: { close(code: number, reason: string): void }, why: EndOfAccess): void {
  socket.close(FORBIDDEN, why);
}

/** What a stream, or an operation on an open socket, is told when its credential is not what it was. */
export function accessEnded(why: EndOfAccess): GraphQLError {
  const [code, message] = told[why];
  return new GraphQLError(message, { extensions: { code } });
}

const told: Record<EndOfAccess, [code: string, message: string]> = {
  'Token revoked': ['TOKEN_REVOKED', 'This token is not valid any more. Sign in with another one.'],
  'Token expired': ['TOKEN_EXPIRED', 'This token has expired. Sign in with another one.'],
  'Rights changed': ['RIGHTS_CHANGED', 'What this token allows has changed. Subscribe again.'],
};

/** Ends a stream of server-sent events with its credential: with one more result that has the reason as its error. */
export function endWithAccess(
  results: Results<unknown>,
  caller: SignedIn,
  live: LiveCredentials,
  stream: Stream,
): void {
  const { response, requestId, presentation } = stream;
  const unfollow = live.follow(caller, (why) => {
    const errors = [presentError(accessEnded(why), requestId, presentation)];
    results.endWith({ errors }).catch((error: unknown) => {
      presentation.log.warn({ err: error }, 'cannot end a subscription');
    });
  });
  // The client may have gone meanwhile.
  if (response.closed) unfollow();
  else response.once('close', unfollow);
}

interface Stream {
  response: ServerResponse;
  requestId: string;
  presentation: Presentation;
}
