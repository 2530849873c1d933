import { pino } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from './config.ts';
import { tracePlace } from './spans.ts';

export type Log = pino.Logger;

/** Fields that hold secrets, wherever a log line has them, up to three levels deep. */
const SECRET_FIELDS = [
  'token',
  'auth_token',
  'agentToken',
  'adminToken',
  'password',
  'secret',
  'secretKeys',
  'privateKeyPem',
  'deviceToken',
  'authorization',
  'Authorization',
  '["x-agent-token"]',
  '["X-Agent-Token"]',
  'connectionParams',
  'databaseUrl',
];

/**
 * JSON lines on stdout, or readable ones when it is a terminal. Secret fields are never written. A line that is about something
 * that is traced has its trace_id and span_id.
 */
export function createLog(level: Config['logLevel']): Log {
  const paths = SECRET_FIELDS.flatMap((field) => [
    field,
    ...['*', '*.*'].map((depth) => (field.startsWith('[') ? depth + field : `${depth}.${field}`)),
  ]);
  const options: pino.LoggerOptions = { level, base: null, mixin: tracePlace, redact: { paths, censor: '[secret]' } };
  return process.stdout.isTTY
    ? pino(options, pretty({ colorize: true, translateTime: 'SYS:HH:MM:ss.l', sync: true }))
    : pino(options);
}
