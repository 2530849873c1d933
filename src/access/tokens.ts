import { hash, randomBytes } from 'node:crypto';

/** The prefix tells whose token it is, and lets logs and documents be searched for one that leaked. */
export const AGENT_TOKEN_PREFIX = 'mca_';
export const OPERATOR_TOKEN_PREFIX = 'mco_';

/** 256 random bits in base64url (43 characters) after the prefix. */
export function newToken(prefix: typeof AGENT_TOKEN_PREFIX | typeof OPERATOR_TOKEN_PREFIX): string {
  return prefix + randomBytes(32).toString('base64url');
}

/** What is shown of a token, to tell it from others: its kind and 24 of its 256 random bits. */
export function tokenPrefix(token: string): string {
  return token.slice(0, 8);
}

/**
 * What is stored of a token, in hex. A fast hash is right here: a random token of 256 bits cannot be guessed, and the
 * check is one look-up in a unique index.
 */
export function hashToken(token: string): string {
  return hash('sha256', token, 'hex');
}
