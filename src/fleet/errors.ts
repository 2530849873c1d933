import { Prisma } from '../db/database.ts';
import { GatewayError } from '../gateway/errors.ts';
import { type ErrorCode, type Failure, failureOf } from '../provisioning/failure.ts';

// What can go wrong with what was asked for. Each class is one member of the API's result unions.

/** The gateway could not be reached (GATEWAY_UNAVAILABLE) or answered with an error (GATEWAY_REJECTED). */
export class GatewayFailure extends Error {
  override name = 'GatewayFailure';
  readonly code: ErrorCode;
  readonly gatewayCode: string | null;
  readonly retryable: boolean;
  readonly hint: string | null;

  constructor(failure: Failure) {
    super(failure.message);
    this.code = failure.code;
    this.gatewayCode = failure.gatewayCode;
    this.retryable = failure.retryable;
    this.hint = failure.hint;
  }
}

/** Runs what talks to a gateway; its errors become GatewayFailures. */
export async function atGateway<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof GatewayError ? new GatewayFailure(failureOf(error)) : error;
  }
}

export interface FieldProblem {
  /** Path into the input, for example input.heartbeat.intervalSeconds. */
  path: string;
  message: string;
}

/** The input cannot be used; nothing was changed. */
export class ValidationError extends Error {
  override name = 'ValidationError';
  readonly code = 'VALIDATION';
  readonly fields: FieldProblem[];

  constructor(fields: FieldProblem[]) {
    super(fields.map(({ path, message }) => `${path} ${message}`).join('; '));
    this.fields = fields;
  }
}

/** There is no such object, or the viewer cannot see it: the two are answered alike. */
export class NotFoundError extends Error {
  override name = 'NotFoundError';
  readonly code = 'NOT_FOUND';

  constructor(what: 'agent' | 'API token' | 'board' | 'gateway' | 'task' | 'template sync', id: string) {
    super(`There is no ${what} with the id ${id}.`);
  }
}

/**
 * What an answer was to tell more of was there a moment ago, and is not any more: somebody else has deleted it. Prisma says so when
 * it loads the relations of a row that was read, or written, before.
 */
export class DeletedMeanwhile extends Error {
  override name = 'DeletedMeanwhile';
  readonly code = 'NOT_FOUND';

  /** @returns null for any other error */
  static from(error: unknown): DeletedMeanwhile | null {
    if (!(error instanceof Prisma.PrismaClientKnownRequestError) || error.code !== 'P2025') return null;
    const { modelName, operation } = error.meta ?? {};
    // A row that could not be written is for whoever wanted to.
    if (operation !== 'a query') return null;
    const what = String(modelName ?? 'object').replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ');
    return new DeletedMeanwhile(`The ${what.toLowerCase()} was deleted meanwhile.`);
  }
}

/** It cannot be done in the state that things are in. */
export class ConflictError extends Error {
  override name = 'ConflictError';
  readonly code = 'CONFLICT';
}

/** The viewer may not do this. */
export class ForbiddenError extends Error {
  override name = 'ForbiddenError';
  readonly code = 'FORBIDDEN';
}

export class LimitExceededError extends Error {
  override name = 'LimitExceededError';
  readonly code = 'LIMIT_EXCEEDED';
  readonly limit: number;

  constructor(message: string, limit: number) {
    super(message);
    this.limit = limit;
  }
}
