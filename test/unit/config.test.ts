import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from '../../src/config.ts';

const key = (byte: number) => Buffer.alloc(32, byte).toString('base64');

describe('settings', () => {
  it('have the documented defaults', () => {
    expect(readConfig({})).toEqual({
      host: '127.0.0.1',
      port: 8000,
      baseUrl: null,
      dataDir: './data',
      databaseUrl: null,
      secretKeys: null,
      adminToken: null,
      templatesDir: 'templates',
      corsOrigins: [],
      logLevel: 'info',
      provisionConcurrency: 8,
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
    ['PORT', 'eighty', 'must be a port number, from 0 to 65535. For example: PORT=8000'],
    ['PORT', '65536', 'must be a port number, from 0 to 65535. For example: PORT=8000'],
    ['PORT', '-1', 'must be a port number, from 0 to 65535. For example: PORT=8000'],
    ['PORT', '80.5', 'must be a port number, from 0 to 65535. For example: PORT=8000'],
    ['BASE_URL', 'ftp://x', 'must be an http or https URL. For example: BASE_URL=https://mission-control.example.com'],
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
    ['ADMIN_TOKEN', 'x y'.repeat(20), 'must not contain spaces. For example: ADMIN_TOKEN=$(openssl rand -hex 32)'],
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
    ['LOG_LEVEL', 'loud', 'must be one of fatal, error, warn, info, debug, trace, silent. For example: LOG_LEVEL=info'],
    ['PROVISION_CONCURRENCY', '0', 'must be a whole number from 1 to 32. For example: PROVISION_CONCURRENCY=8'],
    ['PROVISION_CONCURRENCY', 'many', 'must be a whole number from 1 to 32. For example: PROVISION_CONCURRENCY=8'],
  ])('that are wrong are named with the problem and an example: %s=%s', (name, value, problem) => {
    expect(() => readConfig({ [name]: value })).toThrow(new ConfigError(`${name} ${problem}`));
  });

  it('want a key that all processes share together with a database that they share', () => {
    expect(() => readConfig({ DATABASE_URL: 'postgresql://localhost/mc' })).toThrow(
      /^SECRET_KEY is required together with DATABASE_URL, so that every process has the same key\. For example: SECRET/,
    );
  });
});
