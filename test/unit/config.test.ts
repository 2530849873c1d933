import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig, SETTING_NAMES } from '../../src/config.ts';

const key = (byte: number) => Buffer.alloc(32, byte).toString('base64');

/** What stands in backquotes. */
const CODE = /(?<=`)[^`, |]+(?=`)/g;

/** The first two cells of each row in README's tables of settings. */
function settingRows(): string[][] {
  const readme = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8');
  const section = readme.slice(readme.indexOf('## Settings'), readme.indexOf('## Souls'));
  return section.split('\n').flatMap((line) => {
    const cells = /^\| (.+?) \| (.+?) \|/.exec(line);
    return cells ? [cells.slice(1)] : [];
  });
}

describe('settings', () => {
  it('have the documented defaults', () => {
    expect(readConfig({})).toEqual({
      host: '127.0.0.1',
      port: 8000,
      baseUrl: null,
      dataDir: './data',
      databaseUrl: null,
      migrate: true,
      secretKeys: null,
      adminToken: null,
      templatesDir: 'templates',
      corsOrigins: [],
      oidc: null,
      logLevel: 'info',
      provisionConcurrency: 8,
      checkInTimeoutSeconds: 30,
      eventRetentionDays: 30,
      drainSeconds: 0,
      introspection: true,
      suggestions: true,
      limits: {
        operation: { depth: 20, aliases: 100, directives: 50, tokens: 4_000, cost: 150_000 },
        bodyBytes: 1_048_576,
        requestTimeoutSeconds: 30,
        operationsPerConnection: 100,
        connectionsPerCredential: 2_000,
        requestsPerMinute: 6_000,
        failedSignInsPerMinute: 60,
        trustedProxies: 0,
      },
      soulsUrl: 'https://souls.directory',
      tracing: null,
    });
  });

  it('count as not set when they are blank', () => {
    expect(readConfig({ PORT: '', HOST: '  ', ADMIN_TOKEN: '', LOG_LEVEL: ' ' })).toEqual(readConfig({}));
  });

  it('are read', () => {
    const config = readConfig({
      PORT: '0',
      BASE_URL: 'https://mc.example.com/',
      DATABASE_URL: 'postgres://localhost/mc',
      SECRET_KEY: `${key(1)}, ${key(2)}`,
      CORS_ORIGINS: 'https://a.example, http://localhost:5173,',
    });
    expect(config).toMatchObject({
      port: 0,
      baseUrl: 'https://mc.example.com',
      databaseUrl: 'postgres://localhost/mc',
      corsOrigins: ['https://a.example', 'http://localhost:5173'],
    });
    expect(config.secretKeys).toEqual([Buffer.alloc(32, 1), Buffer.alloc(32, 2)]);
  });

  it.each([
    ['', null],
    [' ', null],
    ['https://souls.example/mirror//', 'https://souls.example/mirror'],
    [undefined, 'https://souls.directory'],
  ])('turn the directory of souls off by the empty text: SOULS_URL=%j', (value, soulsUrl) => {
    expect(readConfig({ SOULS_URL: value }).soulsUrl).toBe(soulsUrl);
  });

  it('of traces are OpenTelemetry’s', () => {
    expect(
      readConfig({
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318/',
        OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20x%3D, x-team = fleet',
        OTEL_TRACES_SAMPLER: 'traceidratio',
        OTEL_TRACES_SAMPLER_ARG: '0.25',
      }).tracing,
    ).toEqual({
      endpoint: 'http://localhost:4318',
      headers: { authorization: 'Bearer x=', 'x-team': 'fleet' },
      serviceName: 'mission-control',
      sampler: 'traceidratio',
      samplerRatio: 0.25,
    });
  });

  it('are all in the README’s tables, and no others are', () => {
    const named = settingRows().flatMap(([names = '']) => names.match(/(?<=`)[A-Z][A-Z_]+(?=`)/g) ?? []);
    expect(named.sort()).toEqual([...SETTING_NAMES].sort());
  });

  it('have the defaults of the README’s tables', () => {
    // What the others say has no effect without it.
    const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318' };
    const rows = settingRows().map(([names = '', values = '']) => [names.match(CODE) ?? [], values.match(CODE) ?? []]);
    const defaults = rows
      .filter(([names = [], values = []]) => values.length === names.length)
      .flatMap(([names = [], values = []]) => names.map((name, index) => [name, values[index] ?? '']))
      // This one's is made of another setting, that one's is a place.
      .filter(([name = '']) => !['BASE_URL', 'SECRET_KEY'].includes(name));
    expect(defaults.length).toBeGreaterThan(25);
    for (const [name = '', value] of defaults)
      expect(readConfig({ ...traced, [name]: value }), name).toEqual(readConfig(traced));
  });

  it.each<[name: string, value: string, problem: string, blamed?: string]>([
    ['PORT', 'eighty', 'must be a port number, from 0 to 65535. For example: PORT=8000'],
    ['PORT', '65536', 'must be a port number, from 0 to 65535. For example: PORT=8000'],
    ['PORT', '-1', 'must be a port number, from 0 to 65535. For example: PORT=8000'],
    ['PORT', '80.5', 'must be a port number, from 0 to 65535. For example: PORT=8000'],
    ['BASE_URL', 'ftp://x', 'must be an http or https URL. For example: BASE_URL=https://mission-control.example.com'],
    ...['http://x.example/?a=1', 'http://bücher.example', 'http://u:p@x.example/a b', 'http://x.example/$(id)'].map(
      (url): [string, string, string] => [
        'BASE_URL',
        url,
        'must have no query, and only characters that can stand in a shell command unquoted. For example: BASE_URL=https://mission-control.example.com',
      ],
    ),
    ['BASE_URL', 'here', 'must be an http or https URL. For example: BASE_URL=https://mission-control.example.com'],
    [
      'DATABASE_URL',
      'mysql://x',
      'must begin with postgresql://. For example: DATABASE_URL=postgresql://user:password@localhost:5432/mission_control',
    ],
    [
      'SECRET_KEY',
      'c2hvcnQ=',
      'must be 32 bytes in base64 (several are separated by commas). For example: SECRET_KEY=$(openssl rand -base64 32)',
    ],
    [
      'SECRET_KEY',
      `${key(1)},`,
      'must be 32 bytes in base64 (several are separated by commas). For example: SECRET_KEY=$(openssl rand -base64 32)',
    ],
    ['ADMIN_TOKEN', 'short', 'must have at least 32 characters. For example: ADMIN_TOKEN=$(openssl rand -hex 32)'],
    ...['x y'.repeat(20), 'pässwörter'.repeat(4)].map((token): [string, string, string] => [
      'ADMIN_TOKEN',
      token,
      'must not contain spaces, or characters that are not ASCII. For example: ADMIN_TOKEN=$(openssl rand -hex 32)',
    ]),
    [
      'ADMIN_TOKEN',
      `mca_${'a'.repeat(43)}`,
      'must not begin with mca_, as agents’ tokens do. For example: ADMIN_TOKEN=$(openssl rand -hex 32)',
    ],
    [
      'CORS_ORIGINS',
      'https://a.example/path',
      'must be origins, without a path. For example: CORS_ORIGINS=https://app.example.com,http://localhost:5173',
    ],
    [
      'CORS_ORIGINS',
      'https://a.example,everyone',
      'must be an http or https URL. For example: CORS_ORIGINS=https://app.example.com,http://localhost:5173',
    ],
    ['MAX_DEPTH', '0', 'must be a whole number from 1 to 1000000000. For example: MAX_DEPTH=20'],
    ['MAX_ALIASES', '-1', 'must be a whole number from 0 to 1000000000. For example: MAX_ALIASES=100'],
    ['MAX_DIRECTIVES', 'few', 'must be a whole number from 0 to 1000000000. For example: MAX_DIRECTIVES=50'],
    ['MAX_TOKENS', '0', 'must be a whole number from 1 to 1000000000. For example: MAX_TOKENS=4000'],
    ['MAX_COST', '1.5', 'must be a whole number from 1 to 1000000000. For example: MAX_COST=150000'],
    ['MAX_BODY_BYTES', '1MB', 'must be a whole number from 1024 to 1000000000. For example: MAX_BODY_BYTES=1048576'],
    [
      'REQUEST_TIMEOUT_SECONDS',
      '0',
      'must be a whole number of seconds from 1 to 3600. For example: REQUEST_TIMEOUT_SECONDS=30',
    ],
    [
      'MAX_OPERATIONS_PER_CONNECTION',
      '0',
      'must be a whole number from 1 to 1000000000. For example: MAX_OPERATIONS_PER_CONNECTION=100',
    ],
    [
      'MAX_CONNECTIONS_PER_CREDENTIAL',
      '0',
      'must be a whole number from 1 to 1000000000. For example: MAX_CONNECTIONS_PER_CREDENTIAL=2000',
    ],
    [
      'REQUESTS_PER_MINUTE',
      '-5',
      'must be a whole number from 1 to 1000000000, or 0 for no limit. For example: REQUESTS_PER_MINUTE=6000',
    ],
    [
      'FAILED_SIGN_INS_PER_MINUTE',
      'none',
      'must be a whole number from 1 to 1000000000, or 0 for no limit. For example: FAILED_SIGN_INS_PER_MINUTE=60',
    ],
    ['TRUST_PROXY', 'true', 'must be the number of proxies, from 0 to 10. For example: TRUST_PROXY=1'],
    ['MIGRATE', 'later', 'must be on or off. For example: MIGRATE=off'],
    ...['localhost:4318', 'https://me:secret@collector.example'].map((value): [string, string, string] => [
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      value,
      'must be an http or https URL without a password. For example: OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318',
    ]),
    ...['secret', 'a=b,', 'a=b c', 'a=%zz', 'a=b%0Ac'].map((value): [string, string, string] => [
      'OTEL_EXPORTER_OTLP_HEADERS',
      value,
      'must be name=value, several separated by commas, spaces as %20, and no line breaks. For example: OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20TOKEN,x-team=fleet',
    ]),
    [
      'OTEL_TRACES_SAMPLER',
      'most',
      'must be one of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio. For example: OTEL_TRACES_SAMPLER=parentbased_traceidratio',
    ],
    ['OTEL_TRACES_SAMPLER_ARG', '10', 'must be a number from 0 to 1. For example: OTEL_TRACES_SAMPLER_ARG=0.1'],
    ['INTROSPECTION', 'no', 'must be on or off. For example: INTROSPECTION=off'],
    ['SUGGESTIONS', 'false', 'must be on or off. For example: SUGGESTIONS=off'],
    [
      'OIDC_ISSUER',
      'http://login.example.com',
      'must be an https URL (http only for an issuer on this machine). For example: OIDC_ISSUER=https://login.example.com/realms/main',
    ],
    [
      'OIDC_ISSUER',
      'https://login.example.com?realm=main',
      'must have no query and no fragment. For example: OIDC_ISSUER=https://login.example.com/realms/main',
    ],
    [
      'OIDC_ISSUER',
      'https://login.example.com',
      'is required together with OIDC_ISSUER: a token that the issuer made for another application must not open this one. For example: OIDC_AUDIENCE=mission-control',
      'OIDC_AUDIENCE',
    ],
    [
      'OIDC_AUDIENCE',
      'mission-control',
      'is required together with OIDC_AUDIENCE. For example: OIDC_ISSUER=https://login.example.com/realms/main',
      'OIDC_ISSUER',
    ],
    ['LOG_LEVEL', 'loud', 'must be one of fatal, error, warn, info, debug, trace, silent. For example: LOG_LEVEL=info'],
    [
      'SOULS_URL',
      'off',
      'must be an http or https URL without a password, or empty. For example: SOULS_URL=https://souls.directory',
    ],
    [
      'SOULS_URL',
      'ftp://souls.example',
      'must be an http or https URL without a password, or empty. For example: SOULS_URL=https://souls.directory',
    ],
    [
      'SOULS_URL',
      'https://me:secret@souls.example',
      'must be an http or https URL without a password, or empty. For example: SOULS_URL=https://souls.directory',
    ],
    [
      'SOULS_URL',
      'https://souls.example/?key=1',
      'must be an http or https URL without a password, or empty. For example: SOULS_URL=https://souls.directory',
    ],
    [
      'SOULS_URL',
      'https://souls.example/#all',
      'must be an http or https URL without a password, or empty. For example: SOULS_URL=https://souls.directory',
    ],
    ['PROVISION_CONCURRENCY', '0', 'must be a whole number from 1 to 32. For example: PROVISION_CONCURRENCY=8'],
    ['PROVISION_CONCURRENCY', 'many', 'must be a whole number from 1 to 32. For example: PROVISION_CONCURRENCY=8'],
  ])('that are wrong are named with the problem and an example: %s=%s', (name, value, problem, blamed = name) => {
    expect(() => readConfig({ [name]: value })).toThrow(new ConfigError(`${blamed} ${problem}`));
  });

  it.each(['https://login.example.com/realms/main', 'http://localhost:8080/', 'http://127.0.0.1:1', 'http://[::1]:1'])(
    'take the issuer %s as it is written',
    (issuer) => {
      const { oidc } = readConfig({ OIDC_ISSUER: issuer, OIDC_AUDIENCE: 'mission-control' });
      expect(oidc).toEqual({ issuer, audience: 'mission-control' });
    },
  );

  it('want a key that all processes share together with a database that they share', () => {
    expect(() => readConfig({ DATABASE_URL: 'postgresql://localhost/mc' })).toThrow(
      /^SECRET_KEY is required together with DATABASE_URL, so that every process has the same key\. For example: SECRET/,
    );
  });
});
