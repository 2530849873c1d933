import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig, SETTING_NAMES } from '../../src/config.ts';
import { filesOf, readDockerfile } from '../support/dockerfile.ts';

interface Service {
  image?: string;
  build?: string;
  profiles?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  read_only?: boolean;
  tmpfs?: string;
  mem_limit?: string;
  stop_grace_period?: string;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const compose = parse(read('compose.yaml'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, null>;
};
const services = Object.entries(compose.services);
const [dockerfile, settings] = [readDockerfile(read('Dockerfile')), new Set(SETTING_NAMES)];
const SERVERS = ['server-1', 'server-2'];
const servers = SERVERS.map((name) => compose.services[name] ?? {});
/** What the README tells to put into .env. */
const env = {
  POSTGRES_PASSWORD: 'e4b1c3',
  SECRET_KEY: Buffer.alloc(32, 1).toString('base64'),
  ADMIN_TOKEN: 'a-token-of-more-than-thirty-two-characters',
  BASE_URL: 'https://mission-control.example.com',
};

/** As compose puts variables in; one that is missing stops it. */
const filledIn = (text: string) =>
  text.replaceAll(/\$\{(\w+)(:\?[^}]*)?\}/g, (_all, name: string, isRequired?: string) => {
    expect(isRequired, `${name} has to be required`).toBeDefined();
    return env[name as keyof typeof env] ?? expect.fail(`${name} is not in .env`);
  });

describe('compose.yaml', () => {
  it('has the server twice, a proxy, PostgreSQL, and what observes them when it is asked for', () => {
    expect(Object.keys(compose.services).sort()).toEqual(
      ['collector', 'postgres', 'prometheus', 'proxy', ...SERVERS].sort(),
    );
    const optional = services.filter(([, { profiles }]) => profiles?.includes('observability')).map(([name]) => name);
    expect(optional.sort()).toEqual(['collector', 'prometheus']);
  });

  it('opens no ports but the proxy’s', () => {
    expect(services.filter(([, { ports }]) => ports).map(([name]) => name)).toEqual(['proxy']);
  });

  it('knows of each service whether it is healthy', () => {
    for (const [name, { healthcheck }] of services) {
      // The servers' is in the Dockerfile; the collector's image has no program that could ask.
      if (SERVERS.includes(name) || name === 'collector') expect(healthcheck, name).toBeUndefined();
      else expect(healthcheck?.test[0], name).toBe('CMD');
    }
    expect(read('Dockerfile')).toContain('\nHEALTHCHECK ');
    for (const { depends_on } of servers) expect(depends_on?.postgres?.condition).toBe('service_healthy');
    for (const server of SERVERS)
      expect(compose.services.proxy?.depends_on?.[server]?.condition).toBe('service_healthy');
  });

  it('gives the servers settings that they have, with secrets of the environment alone', () => {
    for (const { environment = {} } of servers) {
      for (const name of Object.keys(environment)) expect(settings, name).toContain(name);
      const values = Object.fromEntries(Object.entries(environment).map(([name, text]) => [name, filledIn(text)]));
      expect(readConfig(values)).toMatchObject({
        databaseUrl: `postgresql://mission_control:${env.POSTGRES_PASSWORD}@postgres:5432/mission_control`,
        adminToken: env.ADMIN_TOKEN,
        baseUrl: env.BASE_URL,
        limits: { trustedProxies: 1 },
      });
    }
    const own = dockerfile.at(-1)?.instructions.filter(({ name }) => name === 'ENV') ?? [];
    const named = own.flatMap(({ text }) => [...text.matchAll(/(\w+)=/g)].map(([, name]) => name));
    expect(named).toContain('DATA_DIR');
    for (const name of named) if (name !== 'NODE_ENV') expect(settings, name).toContain(name);
    for (const secret of ['SECRET_KEY', 'ADMIN_TOKEN', 'POSTGRES_PASSWORD'])
      expect(read('compose.yaml')).not.toMatch(new RegExp(`${secret}: (?!\\$\\{)`));
  });

  it('lets the servers write nothing, and stop in their time', () => {
    for (const server of servers)
      expect(server).toMatchObject({ read_only: true, tmpfs: '/data', stop_grace_period: '30s', build: '.' });
  });

  it('limits memory, and names images by their versions', () => {
    const images = services.map(([, { image }]) => image ?? '').filter((image) => image !== 'mission-control');
    for (const [name, { mem_limit }] of services) if (name !== 'postgres') expect(mem_limit, name).toMatch(/^\d+[mg]$/);
    for (const image of [...images, ...dockerfile.map(({ from }) => from)]) expect(image).toMatch(/:v?\d+\.\d+/);
  });

  it('mounts files that exist, and volumes that it has', () => {
    const mounts = services.flatMap(([, { volumes = [] }]) => volumes.map((mount) => mount.split(':')[0] ?? ''));
    for (const file of mounts.filter((mount) => mount.startsWith('./'))) expect(read(file)).not.toBe('');
    expect(mounts.filter((mount) => !mount.startsWith('./')).sort()).toEqual(Object.keys(compose.volumes).sort());
  });
});

describe('what compose.yaml mounts', () => {
  it('names services and ports of compose.yaml', () => {
    const prometheus = parse(read('deploy/prometheus.yaml')) as {
      scrape_configs: { static_configs: { targets: string[] }[] }[];
    };
    const targets = prometheus.scrape_configs.flatMap((job) => job.static_configs.flatMap(({ targets }) => targets));
    expect(targets).toEqual(['server-1:8000', 'server-2:8000', 'collector:8888']);
    const { service } = parse(read('deploy/collector.yaml')) as {
      service: { pipelines: { traces: Record<string, string[]> } };
    };
    expect(service.pipelines.traces.receivers).toEqual(['otlp']);
    expect(compose.services.proxy?.environment?.SERVERS).toBe(targets.slice(0, 2).join(' '));
    expect(read('deploy/Caddyfile')).toContain('reverse_proxy {$SERVERS} {');
  });
});

describe('the Dockerfile', () => {
  it('is given the sources, and no tests, docs or secrets', () => {
    const files = filesOf(ROOT, read('.dockerignore'));
    expect(files).toContain('src/main.ts');
    expect(files).toContain('prisma/schema.prisma');
    const folders = [...new Set(files.map((file) => file.replace(/\/.*/, '')))].sort();
    expect(folders).toEqual([
      '.npmrc',
      'LICENSE',
      'package-lock.json',
      'package.json',
      'prisma',
      'prisma.config.ts',
      'src',
      'templates',
    ]);
    expect(files.filter((file) => /demo|simulator|generated/.test(file))).toEqual([]);
  });

  it('takes the Node.js that the checkout has', () => {
    const { optionalDependencies } = JSON.parse(read('package.json')) as {
      optionalDependencies: Record<string, string>;
    };
    const [version] = Object.values(optionalDependencies);
    for (const { from } of dockerfile) expect(from).toMatch(new RegExp(`^node:${version}-`));
  });
});
