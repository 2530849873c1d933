import {
  ConflictError,
  type FieldProblem,
  ForbiddenError,
  GatewayFailure,
  LimitExceededError,
  NotFoundError,
  ValidationError,
} from '../fleet/errors.ts';
import type { ErrorCode } from '../provisioning/failure.ts';
import { builder } from './builder.ts';

const errorCode = builder.enumType('ErrorCode', {
  description: 'The kind of an expected failure, for programs.',
  values: {
    VALIDATION: { description: 'The input cannot be used.' },
    NOT_FOUND: { description: 'There is no such object for you.' },
    CONFLICT: { description: 'It cannot be done in the state that things are in.' },
    FORBIDDEN: { description: 'You may not do this.' },
    LIMIT_EXCEEDED: { description: 'A limit would be exceeded.' },
    GATEWAY_UNAVAILABLE: { description: 'The gateway could not be reached.' },
    GATEWAY_REJECTED: { description: 'The gateway answered with an error.' },
  } satisfies Record<ErrorCode, object>,
});

const errorInterface = builder.interfaceRef<{ message: string; code: ErrorCode }>('Error').implement({
  description: 'An expected failure. One inline fragment on Error reads all of them.',
  fields: (t) => ({
    message: t.exposeString('message', { description: 'What is wrong, in a sentence for people.' }),
    code: t.expose('code', { type: errorCode, description: 'The kind of failure, for programs.' }),
  }),
});

const fieldError = builder.objectRef<FieldProblem>('FieldError').implement({
  description: 'One thing that is wrong with an input.',
  fields: (t) => ({
    path: t.exposeString('path', { description: 'Path into the input, for example: input.heartbeat.intervalSeconds' }),
    message: t.exposeString('message', { description: 'What is wrong with the value there.' }),
  }),
});

builder.objectType(ValidationError, {
  name: 'ValidationError',
  description: 'The input cannot be used. Nothing was changed.',
  interfaces: [errorInterface],
  fields: (t) => ({
    fields: t.expose('fields', { type: [fieldError], description: 'Every problem, each with its path.' }),
  }),
});

builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  description: 'There is no such object, or you cannot see it.',
  interfaces: [errorInterface],
});

builder.objectType(ConflictError, {
  name: 'ConflictError',
  description: 'It cannot be done in the state that things are in; the message names what stands in the way.',
  interfaces: [errorInterface],
});

builder.objectType(ForbiddenError, {
  name: 'ForbiddenError',
  description: 'You may not do this.',
  interfaces: [errorInterface],
});

builder.objectType(LimitExceededError, {
  name: 'LimitExceededError',
  description: 'A limit would be exceeded.',
  interfaces: [errorInterface],
  fields: (t) => ({ limit: t.exposeInt('limit', { description: 'The limit.' }) }),
});

/** A member of result unions; also how a failure that is stored with an agent is told. */
export const gatewayError = builder.objectType(GatewayFailure, {
  name: 'GatewayError',
  description: 'The gateway could not be reached (GATEWAY_UNAVAILABLE) or answered with an error (GATEWAY_REJECTED).',
  interfaces: [errorInterface],
  // Thrown, or read from where it is stored with an agent.
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'gatewayCode' in value,
  fields: (t) => ({
    gatewayCode: t.exposeString('gatewayCode', {
      nullable: true,
      description: 'The gateway’s own code, for example INVALID_REQUEST or PAIRING_REQUIRED.',
    }),
    retryable: t.exposeBoolean('retryable', { description: 'Whether it may pass by itself.' }),
    hint: t.exposeString('hint', {
      nullable: true,
      description: 'What the operator should do next, in one sentence.',
    }),
  }),
});

type ErrorClass =
  | typeof ValidationError
  | typeof NotFoundError
  | typeof ConflictError
  | typeof LimitExceededError
  | typeof GatewayFailure;

/** The result union of a mutation: its object, or one of these errors. */
export function resultUnion(name: string, types: ErrorClass[]) {
  return { types, union: { name, description: `What ${mutationOf(name)} answers.` } };
}

function mutationOf(unionName: string): string {
  const name = unionName.replace(/Result$/, '');
  return name.charAt(0).toLowerCase() + name.slice(1);
}

/** What a mutation answers with that has deleted something. */
export const deleted = builder.simpleObject('Deleted', {
  description: 'Something that was deleted.',
  fields: (t) => ({ id: t.id({ description: 'Its id.' }) }),
});
