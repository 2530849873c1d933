import type { Command } from 'commander';
import { type Config, ConfigError, readConfig } from '../config.ts';
import { MIGRATIONS } from '../db/database.ts';
import { DataFolderInUse } from '../db/folder-lock.ts';
import { migrationStatus } from '../db/migrate.ts';
import { type DatabaseSession, hasEmbedded } from '../db/session.ts';
import { openAll } from '../db/stored-secrets.ts';
import { checkGateway } from '../gateway/check.ts';
import { readTemplates } from '../provisioning/template-folder.ts';
import { knownKeysOf, requireKeys } from '../secret-keys.ts';
import { VERSION } from '../version.ts';
import { withSession } from './database.ts';
import { FAILED, JSON_FLAG, type OutputOptions, print, sentenceOf } from './output.ts';
import { readGateways, type StoredGateway } from './stored-gateways.ts';

/** What was looked at. */
interface Finding {
  name: string;
  /** `skipped`: it could not be looked at now, and nothing is known to be wrong. */
  outcome: 'ok' | 'skipped' | 'failed';
  /** How it is, or what to do. */
  message: string;
}

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('look for what is wrong with this installation')
    .description(
      'Looks at the settings, the database, its migrations, the secret key, BASE_URL, the templates and every gateway, and says what to do. ' +
        'Changes nothing. With the embedded database, stop the server first: else what is in it is not looked at.',
    )
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  mission-control doctor\n  mission-control doctor --json')
    .action(examine);
}

async function examine(options: OutputOptions): Promise<void> {
  const findings = await findingsOf(process.env);
  const ok = findings.every(({ outcome }) => outcome !== 'failed');
  print(options, { ok, version: VERSION, findings }, findings.map(lineOf).join('\n'));
  if (!ok) process.exitCode = FAILED;
}

const SIGNS = { ok: 'ok  ', skipped: '-   ', failed: 'FAIL' };
const lineOf = ({ name, outcome, message }: Finding) => `${SIGNS[outcome]} ${name.padEnd(14)} ${message}`;

const fine = (name: string, message: string): Finding => ({ name, outcome: 'ok', message });
const failed = (name: string, message: string): Finding => ({ name, outcome: 'failed', message });
const skipped = (name: string, message: string): Finding => ({ name, outcome: 'skipped', message });

async function findingsOf(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  let config: Config;
  try {
    config = readConfig(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [failed('configuration', error.message)];
  }
  return [
    fine('configuration', 'Every setting can be used.'),
    await examined('templates', async () => {
      readTemplates(config.templatesDir);
      return `Those in ${config.templatesDir} can be used.`;
    }),
    ...(await databaseFindings(config)),
  ];
}

/** @param look answers with how it is, or throws what is wrong */
async function examined(name: string, look: () => Promise<string>): Promise<Finding> {
  try {
    return fine(name, await look());
  } catch (error) {
    return failed(name, sentenceOf(error));
  }
}

async function databaseFindings(config: Config): Promise<Finding[]> {
  if (config.databaseUrl === null && !hasEmbedded(config.dataDir))
    return [
      skipped('database', `There is none in ${config.dataDir} yet: the first start makes it.`),
      await baseUrl(config, []),
    ];
  try {
    return await withSession(config, async (session) => [
      fine('database', `${session.description} answers.`),
      ...(await contentFindings(session, config)),
    ]);
  } catch (error) {
    if (error instanceof DataFolderInUse) return [skipped('database', sentenceOf(error)), await baseUrl(config, [])];
    return [failed('database', sentenceOf(error))];
  }
}

async function contentFindings(session: DatabaseSession, config: Config): Promise<Finding[]> {
  const { pending, problem, applied } = await migrationStatus(session, MIGRATIONS);
  if (problem !== null) return [failed('migrations', problem)];
  if (pending.length > 0) {
    const how = config.migrate ? 'Start the server' : 'Run npx mission-control migrate';
    return [(config.migrate ? skipped : failed)('migrations', `${pending.length} are pending. ${how} to apply them.`)];
  }
  const keys = await examined('keys', async () => {
    await requireKeys(session, config);
    const known = knownKeysOf(config);
    return known ? `They decrypt all ${await openAll(session, known)} stored secrets.` : 'Nothing is encrypted yet.';
  });
  const known = keys.outcome === 'ok' ? knownKeysOf(config) : null;
  const gateways = known ? await readGateways(session, known) : [];
  return [
    fine('migrations', `All ${applied.length} are applied.`),
    keys,
    await baseUrl(config, gateways),
    ...(await Promise.all(gateways.map(gatewayFinding))),
  ];
}

const GATEWAY_TIMEOUT_MS = 10_000;

async function gatewayFinding({ name, target }: StoredGateway): Promise<Finding> {
  const checks = await checkGateway(target, GATEWAY_TIMEOUT_MS);
  const problem = checks.find(({ outcome }) => outcome === 'failed');
  if (problem) return failed(`gateway ${name}`, [problem.message, problem.hint].filter(Boolean).join(' '));
  return fine(`gateway ${name}`, checks.find((check) => check.name === 'version')?.message ?? 'It answers.');
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;
const BASE_URL_TIMEOUT_MS = 3_000;

/** Whether agents reach this server under the address that is written into their documents. */
async function baseUrl(config: Config, gateways: StoredGateway[]): Promise<Finding> {
  const url = config.baseUrl ?? `http://localhost:${config.port}`;
  const isLocal = LOOPBACK.test(new URL(url).hostname);
  const elsewhere = gateways.find(({ target }) => !LOOPBACK.test(new URL(target.url).hostname));
  if (isLocal && elsewhere)
    return failed(
      'BASE_URL',
      `Agents of the gateway ${elsewhere.name} are on another machine and cannot reach ${url}: set BASE_URL to an address of this server that they reach.`,
    );
  const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(BASE_URL_TIMEOUT_MS) })
    .then((response) => response.json() as Promise<unknown>)
    .catch(() => null);
  if (typeof answer === 'object' && answer !== null && 'version' in answer)
    return fine('BASE_URL', `Mission Control ${String(answer.version)} answers at ${url}.`);
  return skipped(
    'BASE_URL',
    `No Mission Control answers at ${url} now. If the server runs, set BASE_URL to where it is reached.`,
  );
}
