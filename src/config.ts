import { z } from 'zod';
import { SHELL_WORD } from './provisioning/shell-word.ts';

/** The settings of the server, read once from the environment. The README has the same table for users. */
export interface Config {
  host: string;
  /** 0 takes a free port. */
  port: number;
  /** Null until the port is known: then http://localhost:<port>. */
  baseUrl: string | null;
  dataDir: string;
  databaseUrl: string | null;
  /** Whether a start applies the migrations that the database lacks; else it is refused then. */
  migrate: boolean;
  /** 32 bytes each; the first encrypts, all decrypt. Null: one is made in the data folder. */
  secretKeys: [Buffer, ...Buffer[]] | null;
  adminToken: string | null;
  templatesDir: string;
  corsOrigins: string[];
  /** The OpenID Connect issuer whose JWTs are taken, and whom they must be for; null: none. */
  oidc: { issuer: string; audience: string } | null;
  logLevel: (typeof LOG_LEVELS)[number];
  provisionConcurrency: number;
  checkInTimeoutSeconds: number;
  eventRetentionDays: number;
  /** How long a server that is told to stop goes on serving, so that a proxy can see that it will stop. */
  drainSeconds: number;
  limits: Limits;
  /** Whether clients may ask for the schema. */
  introspection: boolean;
  /** Whether errors say what the schema has instead of what was asked for. */
  suggestions: boolean;
  /** The directory of role souls, without a slash at its end; null: none is asked. */
  soulsUrl: string | null;
  /** Null: no traces are made. */
  tracing: Tracing | null;
}

/** Where traces are sent, and which of them. The settings are OpenTelemetry's own. */
export interface Tracing {
  /** Of a collector that takes OTLP over HTTP, without a slash at its end and without /v1/traces. */
  endpoint: string;
  /** What it wants to be sent with each request; may hold a secret. */
  headers: Record<string, string>;
  serviceName: string;
  sampler: (typeof SAMPLERS)[number];
  /** Of the samplers by ratio: the part of the traces that is sent, from 0 to 1. */
  samplerRatio: number;
}

/** How much anybody may ask of the server. Defaults are beyond what honest clients do. */
export interface Limits {
  /** Of one operation. */
  operation: { depth: number; aliases: number; directives: number; tokens: number; cost: number };
  /** Of a request over HTTP, and of a message over WebSocket, in bytes. */
  bodyBytes: number;
  /** For a request to arrive, with its body. The answer may take as long as it takes. */
  requestTimeoutSeconds: number;
  /** Operations of one WebSocket at the same time. */
  operationsPerConnection: number;
  /** WebSockets and event streams of one credential at the same time. */
  connectionsPerCredential: number;
  /** Of one credential. 0: no limit. */
  requestsPerMinute: number;
  /** Of one address. 0: no limit. */
  failedSignInsPerMinute: number;
  /** Proxies before this server, whose X-Forwarded-For counts. */
  trustedProxies: number;
}

/** A setting that cannot be used. The message is one line that names the variable, the problem and an example. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

const KEY_BYTES = 32;

/** An environment variable that is a setting. */
type SettingName = keyof typeof environment.shape;

const examples: Record<SettingName, string> = {
  HOST: 'HOST=127.0.0.1',
  PORT: 'PORT=8000',
  BASE_URL: 'BASE_URL=https://mission-control.example.com',
  DATA_DIR: 'DATA_DIR=./data',
  DATABASE_URL: 'DATABASE_URL=postgresql://user:password@localhost:5432/mission_control',
  MIGRATE: 'MIGRATE=off',
  SECRET_KEY: 'SECRET_KEY=$(openssl rand -base64 32)',
  ADMIN_TOKEN: 'ADMIN_TOKEN=$(openssl rand -hex 32)',
  TEMPLATES_DIR: 'TEMPLATES_DIR=templates',
  CORS_ORIGINS: 'CORS_ORIGINS=https://app.example.com,http://localhost:5173',
  OIDC_ISSUER: 'OIDC_ISSUER=https://login.example.com/realms/main',
  OIDC_AUDIENCE: 'OIDC_AUDIENCE=mission-control',
  LOG_LEVEL: 'LOG_LEVEL=info',
  PROVISION_CONCURRENCY: 'PROVISION_CONCURRENCY=8',
  CHECKIN_TIMEOUT_SECONDS: 'CHECKIN_TIMEOUT_SECONDS=30',
  EVENT_RETENTION_DAYS: 'EVENT_RETENTION_DAYS=30',
  DRAIN_SECONDS: 'DRAIN_SECONDS=5',
  SOULS_URL: 'SOULS_URL=https://souls.directory',
  MAX_DEPTH: 'MAX_DEPTH=20',
  MAX_ALIASES: 'MAX_ALIASES=100',
  MAX_DIRECTIVES: 'MAX_DIRECTIVES=50',
  MAX_TOKENS: 'MAX_TOKENS=4000',
  MAX_COST: 'MAX_COST=150000',
  MAX_BODY_BYTES: 'MAX_BODY_BYTES=1048576',
  REQUEST_TIMEOUT_SECONDS: 'REQUEST_TIMEOUT_SECONDS=30',
  MAX_OPERATIONS_PER_CONNECTION: 'MAX_OPERATIONS_PER_CONNECTION=100',
  MAX_CONNECTIONS_PER_CREDENTIAL: 'MAX_CONNECTIONS_PER_CREDENTIAL=2000',
  REQUESTS_PER_MINUTE: 'REQUESTS_PER_MINUTE=6000',
  FAILED_SIGN_INS_PER_MINUTE: 'FAILED_SIGN_INS_PER_MINUTE=60',
  TRUST_PROXY: 'TRUST_PROXY=1',
  INTROSPECTION: 'INTROSPECTION=off',
  SUGGESTIONS: 'SUGGESTIONS=off',
  OTEL_EXPORTER_OTLP_ENDPOINT: 'OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318',
  OTEL_EXPORTER_OTLP_HEADERS: 'OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20TOKEN,x-team=fleet',
  OTEL_SERVICE_NAME: 'OTEL_SERVICE_NAME=mission-control',
  OTEL_TRACES_SAMPLER: 'OTEL_TRACES_SAMPLER=parentbased_traceidratio',
  OTEL_TRACES_SAMPLER_ARG: 'OTEL_TRACES_SAMPLER_ARG=0.1',
};

/** The error for a setting. */
export function wrongSetting(name: SettingName, problem: string): ConfigError {
  return new ConfigError(`${name} ${problem}. For example: ${examples[name]}`);
}

/** Puts a setting to use: what the system or the database refuses (an error with a code) is told as that setting's problem. */
export async function usingSetting<T>(name: SettingName, use: () => T | Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    // Several addresses that all refuse make an error without a message.
    throw wrongSetting(name, `cannot be used: ${error.message || String(error.code)}`);
  }
}

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });

/** An address that a path can be put behind, and that may be written into documents. */
function isPlainUrl(text: string): boolean {
  const url = httpUrl.safeParse(text).success ? URL.parse(text) : null;
  return url !== null && `${url.username}${url.password}${url.search}${url.hash}` === '';
}

const wholeNumber = (least: number, most: number, error: string) =>
  z.coerce.number({ error }).int({ error }).min(least, { error }).max(most, { error });

const MOST = 1_000_000_000;
const atLeast = (least: number) => wholeNumber(least, MOST, `must be a whole number from ${least} to ${MOST}`);
const orUnlimited = wholeNumber(0, MOST, `must be a whole number from 1 to ${MOST}, or 0 for no limit`);

const onOrOff = z.enum(['on', 'off'], { error: 'must be on or off' }).transform((text) => text === 'on');

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

/** Pairs of a name and a value, separated by commas, both with what URLs escape escaped. */
const headers = z.string().transform((text, context): Record<string, string> => {
  const pairs = text.split(',').map((pair) => /^\s*([\w.-]+)\s*=\s*([^\s=][^\s]*)\s*$/.exec(pair));
  try {
    const read = pairs.map((pair) => [pair?.[1], decodeURIComponent(pair?.[2] ?? '')]);
    if (!pairs.includes(null) && read.every(([, value]) => !/\p{Cc}/u.test(value ?? '')))
      return Object.fromEntries(read);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
  }
  context.addIssue({
    code: 'custom',
    message: 'must be name=value, several separated by commas, spaces as %20, and no line breaks',
  });
  return z.NEVER;
});

const secretKeys = z.string().transform((text, context): [Buffer, ...Buffer[]] => {
  const [first, ...rest] = text.split(',').map((part) => Buffer.from(part.trim(), 'base64'));
  if (!first || [first, ...rest].some((key) => key.length !== KEY_BYTES)) {
    context.addIssue({
      code: 'custom',
      message: `must be ${KEY_BYTES} bytes in base64 (several are separated by commas)`,
    });
    return z.NEVER;
  }
  return [first, ...rest];
});

/** What http carries can be changed on the way, and with it the keys that decide who is let in. */
function isHttpsOrLoopback(url: string): boolean {
  const { protocol, hostname } = URL.parse(url) ?? {};
  return protocol === 'https:' || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname ?? '');
}

const environment = z
  .object({
    HOST: z.string().default('127.0.0.1'),
    PORT: wholeNumber(0, 65_535, 'must be a port number, from 0 to 65535').default(8000),
    BASE_URL: httpUrl
      .regex(SHELL_WORD, 'must have no query, and only characters that can stand in a shell command unquoted')
      .transform((url) => url.replace(/\/+$/, ''))
      .optional(),
    DATA_DIR: z.string().default('./data'),
    DATABASE_URL: z
      .string()
      .regex(/^postgres(ql)?:\/\//, 'must begin with postgresql://')
      .optional(),
    MIGRATE: onOrOff.default(true),
    SECRET_KEY: secretKeys.optional(),
    ADMIN_TOKEN: z
      .string()
      .min(32, 'must have at least 32 characters')
      .regex(/^[\x21-\x7e]+$/, 'must not contain spaces, or characters that are not ASCII')
      .refine((token) => !token.startsWith('mca_'), 'must not begin with mca_, as agents’ tokens do')
      .optional(),
    TEMPLATES_DIR: z.string().default('templates'),
    CORS_ORIGINS: z
      .string()
      .default('')
      .transform((text) => text.split(',').map((origin) => origin.trim()))
      .transform((origins) => origins.filter((origin) => origin !== ''))
      .pipe(z.array(httpUrl.refine((url) => URL.parse(url)?.origin === url, 'must be origins, without a path'))),
    OIDC_ISSUER: httpUrl
      .refine((url) => !/[?#]/.test(url), 'must have no query and no fragment')
      .refine(isHttpsOrLoopback, 'must be an https URL (http only for an issuer on this machine)')
      .optional(),
    OIDC_AUDIENCE: z.string().trim().optional(),
    LOG_LEVEL: z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` }).default('info'),
    PROVISION_CONCURRENCY: wholeNumber(1, 32, 'must be a whole number from 1 to 32').default(8),
    CHECKIN_TIMEOUT_SECONDS: wholeNumber(5, 3_600, 'must be a whole number of seconds from 5 to 3600').default(30),
    EVENT_RETENTION_DAYS: wholeNumber(1, 3_650, 'must be a whole number of days from 1 to 3650').default(30),
    DRAIN_SECONDS: wholeNumber(0, 300, 'must be a whole number of seconds from 0 to 300').default(0),
    SOULS_URL: z
      .string()
      .trim()
      .refine((url) => url === '' || isPlainUrl(url), 'must be an http or https URL without a password, or empty')
      .transform((url) => url.replace(/\/+$/, ''))
      .default('https://souls.directory'),
    MAX_DEPTH: atLeast(1).default(20),
    MAX_ALIASES: atLeast(0).default(100),
    MAX_DIRECTIVES: atLeast(0).default(50),
    MAX_TOKENS: atLeast(1).default(4_000),
    MAX_COST: atLeast(1).default(150_000),
    MAX_BODY_BYTES: atLeast(1_024).default(1024 * 1024),
    REQUEST_TIMEOUT_SECONDS: wholeNumber(1, 3_600, 'must be a whole number of seconds from 1 to 3600').default(30),
    MAX_OPERATIONS_PER_CONNECTION: atLeast(1).default(100),
    MAX_CONNECTIONS_PER_CREDENTIAL: atLeast(1).default(2_000),
    REQUESTS_PER_MINUTE: orUnlimited.default(6_000),
    FAILED_SIGN_INS_PER_MINUTE: orUnlimited.default(60),
    TRUST_PROXY: wholeNumber(0, 10, 'must be the number of proxies, from 0 to 10').default(0),
    INTROSPECTION: onOrOff.default(true),
    SUGGESTIONS: onOrOff.default(true),
    OTEL_EXPORTER_OTLP_ENDPOINT: z
      .string()
      .refine(isPlainUrl, 'must be an http or https URL without a password')
      .transform((url) => url.replace(/\/+$/, ''))
      .optional(),
    OTEL_EXPORTER_OTLP_HEADERS: headers.default({}),
    OTEL_SERVICE_NAME: z.string().trim().default('mission-control'),
    OTEL_TRACES_SAMPLER: z
      .enum(SAMPLERS, { error: `must be one of ${SAMPLERS.join(', ')}` })
      .default('parentbased_always_on'),
    OTEL_TRACES_SAMPLER_ARG: z.coerce
      .number('must be a number from 0 to 1')
      .min(0, 'must be a number from 0 to 1')
      .max(1, 'must be a number from 0 to 1')
      .default(1),
  })
  .refine((env) => env.DATABASE_URL === undefined || env.SECRET_KEY !== undefined, {
    path: ['SECRET_KEY'],
    message: 'is required together with DATABASE_URL, so that every process has the same key',
  })
  .refine((env) => env.OIDC_ISSUER === undefined || env.OIDC_AUDIENCE !== undefined, {
    path: ['OIDC_AUDIENCE'],
    message:
      'is required together with OIDC_ISSUER: a token that the issuer made for another application must not open this one',
  })
  .refine((env) => env.OIDC_AUDIENCE === undefined || env.OIDC_ISSUER !== undefined, {
    path: ['OIDC_ISSUER'],
    message: 'is required together with OIDC_AUDIENCE',
  });

/** The environment variables that are settings. */
export const SETTING_NAMES: readonly string[] = Object.keys(environment.shape);

/** Settings that are turned off by the empty text. */
const MAY_BE_EMPTY = new Set(['SOULS_URL']);

/**
 * Reads the settings. A variable that is set to the empty text counts as not set, but one that is turned off by it.
 * @throws ConfigError for the first setting that cannot be used
 */
export function readConfig(env: Record<string, string | undefined>): Config {
  const given = Object.fromEntries(
    Object.entries(env).filter(
      ([name, value]) => value !== undefined && (value.trim() !== '' || MAY_BE_EMPTY.has(name)),
    ),
  );
  const result = environment.safeParse(given);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw wrongSetting(issue?.path[0] as SettingName, issue?.message ?? 'is wrong');
  }
  const settings = result.data;
  return {
    host: settings.HOST,
    port: settings.PORT,
    baseUrl: settings.BASE_URL ?? null,
    dataDir: settings.DATA_DIR,
    databaseUrl: settings.DATABASE_URL ?? null,
    migrate: settings.MIGRATE,
    secretKeys: settings.SECRET_KEY ?? null,
    adminToken: settings.ADMIN_TOKEN ?? null,
    templatesDir: settings.TEMPLATES_DIR,
    corsOrigins: settings.CORS_ORIGINS,
    oidc:
      settings.OIDC_ISSUER !== undefined && settings.OIDC_AUDIENCE !== undefined
        ? { issuer: settings.OIDC_ISSUER, audience: settings.OIDC_AUDIENCE }
        : null,
    logLevel: settings.LOG_LEVEL,
    provisionConcurrency: settings.PROVISION_CONCURRENCY,
    checkInTimeoutSeconds: settings.CHECKIN_TIMEOUT_SECONDS,
    eventRetentionDays: settings.EVENT_RETENTION_DAYS,
    drainSeconds: settings.DRAIN_SECONDS,
    soulsUrl: settings.SOULS_URL || null,
    introspection: settings.INTROSPECTION,
    suggestions: settings.SUGGESTIONS,
    tracing:
      settings.OTEL_EXPORTER_OTLP_ENDPOINT === undefined
        ? null
        : {
            endpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
            headers: settings.OTEL_EXPORTER_OTLP_HEADERS,
            serviceName: settings.OTEL_SERVICE_NAME,
            sampler: settings.OTEL_TRACES_SAMPLER,
            samplerRatio: settings.OTEL_TRACES_SAMPLER_ARG,
          },
    limits: {
      operation: {
        depth: settings.MAX_DEPTH,
        aliases: settings.MAX_ALIASES,
        directives: settings.MAX_DIRECTIVES,
        tokens: settings.MAX_TOKENS,
        cost: settings.MAX_COST,
      },
      bodyBytes: settings.MAX_BODY_BYTES,
      requestTimeoutSeconds: settings.REQUEST_TIMEOUT_SECONDS,
      operationsPerConnection: settings.MAX_OPERATIONS_PER_CONNECTION,
      connectionsPerCredential: settings.MAX_CONNECTIONS_PER_CREDENTIAL,
      requestsPerMinute: settings.REQUESTS_PER_MINUTE,
      failedSignInsPerMinute: settings.FAILED_SIGN_INS_PER_MINUTE,
      trustedProxies: settings.TRUST_PROXY,
    },
  };
}
