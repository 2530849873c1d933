import { z } from 'zod';

/** The settings of the server, read once from the environment. The README has the same table for users. */
export interface Config {
  host: string;
  /** 0 takes a free port. */
  port: number;
  /** Null until the port is known: then http://localhost:<port>. */
  baseUrl: string | null;
  dataDir: string;
  databaseUrl: string | null;
  /** 32 bytes each; the first encrypts, all decrypt. Null: one is made in the data folder. */
  secretKeys: [Buffer, ...Buffer[]] | null;
  adminToken: string | null;
  templatesDir: string;
  corsOrigins: string[];
  logLevel: (typeof LOG_LEVELS)[number];
  provisionConcurrency: number;
}

/** A setting that cannot be used. The message is one line that names the variable, the problem and an example. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

const KEY_BYTES = 32;

const examples: Record<string, string> = {
  HOST: 'HOST=127.0.0.1',
  PORT: 'PORT=8000',
  BASE_URL: 'BASE_URL=https://mission-control.example.com',
  DATA_DIR: 'DATA_DIR=./data',
  DATABASE_URL: 'DATABASE_URL=postgresql://user:password@localhost:5432/mission_control',
  SECRET_KEY: 'SECRET_KEY=$(openssl rand -base64 32)',
  ADMIN_TOKEN: 'ADMIN_TOKEN=$(openssl rand -hex 32)',
  TEMPLATES_DIR: 'TEMPLATES_DIR=templates',
  CORS_ORIGINS: 'CORS_ORIGINS=https://app.example.com,http://localhost:5173',
  LOG_LEVEL: 'LOG_LEVEL=info',
  PROVISION_CONCURRENCY: 'PROVISION_CONCURRENCY=8',
};

/** The error for a setting. */
export function wrongSetting(name: string, problem: string): ConfigError {
  return new ConfigError(`${name} ${problem}. For example: ${examples[name]}`);
}

/** Puts a setting to use: what the system or the database refuses (an error with a code) is told as that setting's problem. */
export async function usingSetting<T>(name: string, use: () => T | Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    // Several addresses that all refuse make an error without a message.
    throw wrongSetting(name, `cannot be used: ${error.message || String(error.code)}`);
  }
}

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });

const wholeNumber = (least: number, most: number, error: string) =>
  z.coerce.number({ error }).int({ error }).min(least, { error }).max(most, { error });

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

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

const environment = z
  .object({
    HOST: z.string().default('127.0.0.1'),
    PORT: wholeNumber(0, 65_535, 'must be a port number, from 0 to 65535').default(8000),
    BASE_URL: httpUrl.transform((url) => url.replace(/\/+$/, '')).optional(),
    DATA_DIR: z.string().default('./data'),
    DATABASE_URL: z
      .string()
      .regex(/^postgres(ql)?:\/\//, 'must begin with postgresql://')
      .optional(),
    SECRET_KEY: secretKeys.optional(),
    ADMIN_TOKEN: z
      .string()
      .min(32, 'must have at least 32 characters')
      .regex(/^\S+$/, 'must not contain spaces')
      .optional(),
    TEMPLATES_DIR: z.string().default('templates'),
    CORS_ORIGINS: z
      .string()
      .default('')
      .transform((text) => text.split(',').map((origin) => origin.trim()))
      .transform((origins) => origins.filter((origin) => origin !== ''))
      .pipe(z.array(httpUrl.refine((url) => URL.parse(url)?.origin === url, 'must be origins, without a path'))),
    LOG_LEVEL: z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` }).default('info'),
    PROVISION_CONCURRENCY: wholeNumber(1, 32, 'must be a whole number from 1 to 32').default(8),
  })
  .refine((env) => env.DATABASE_URL === undefined || env.SECRET_KEY !== undefined, {
    path: ['SECRET_KEY'],
    message: 'is required together with DATABASE_URL, so that every process has the same key',
  });

/**
 * Reads the settings. A variable that is set to the empty text counts as not set.
 * @throws ConfigError for the first setting that cannot be used
 */
export function readConfig(env: Record<string, string | undefined>): Config {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''),
  );
  const result = environment.safeParse(given);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw wrongSetting(String(issue?.path[0]), issue?.message ?? 'is wrong');
  }
  const settings = result.data;
  return {
    host: settings.HOST,
    port: settings.PORT,
    baseUrl: settings.BASE_URL ?? null,
    dataDir: settings.DATA_DIR,
    databaseUrl: settings.DATABASE_URL ?? null,
    secretKeys: settings.SECRET_KEY ?? null,
    adminToken: settings.ADMIN_TOKEN ?? null,
    templatesDir: settings.TEMPLATES_DIR,
    corsOrigins: settings.CORS_ORIGINS,
    logLevel: settings.LOG_LEVEL,
    provisionConcurrency: settings.PROVISION_CONCURRENCY,
  };
}
