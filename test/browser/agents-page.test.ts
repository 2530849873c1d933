import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { build, type PreviewServer, preview } from 'vite';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { CuttingProxy } from '../faults/cutting-proxy.ts';
import { DeleteAgent } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { ADMIN_TOKEN, type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { launchChromium, shoot, watch } from './chromium.ts';

const ROOT = fileURLToPath(new URL('../../examples/agents-page', import.meta.url));

let outDir: string;
let site: PreviewServer;
let siteUrl: string;
let server: MissionControl;
let network: CuttingProxy;
let gateway: Simulator;
let browser: Browser;
let board: { id: string };
let context: BrowserContext;

beforeAll(async () => {
  browser = await launchChromium();
  outDir = await mkdtemp(path.join(tmpdir(), 'mission-control-page-'));
  await build({ root: ROOT, logLevel: 'warn', build: { outDir, emptyOutDir: true } });
  site = await preview({ root: ROOT, build: { outDir }, preview: { host: '127.0.0.1', port: 0 } });
  siteUrl = site.resolvedUrls?.local[0] ?? '';
  server = await startMissionControl({ CORS_ORIGINS: new URL(siteUrl).origin });
  network = await CuttingProxy.create(Number(new URL(server.url).port));
  gateway = await startSimulator({ agents: 'live' });
  const { id: gatewayId, mainAgent } = await addGateway(server.owner, gateway);
  await provisioned(server.owner, mainAgent?.id ?? '');
  board = await addBoard(server.owner, gatewayId, { name: 'Launch', lead: 'Lena' });
  await addBoard(server.owner, gatewayId, { name: 'Support' });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await network?.stop();
  await server?.stop();
  await gateway?.stop();
  await site?.close();
  await rm(outDir, { recursive: true, force: true });
});
afterEach(() => context.close());

async function open(colorScheme: 'light' | 'dark' = 'light'): Promise<{ page: Page; problems: string[] }> {
  context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme });
  const problems = watch(context, siteUrl, proxyUrl());
  const page = await context.newPage();
  await page.goto(siteUrl);
  return { page, problems };
}

const proxyUrl = () => `http://127.0.0.1:${network.port}/graphql`;

async function signIn(page: Page, token = ADMIN_TOKEN): Promise<void> {
  await page.getByLabel('Server').fill(proxyUrl());
  await page.getByLabel('Operator token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Each row of the table, without what depends on the time of day. */
const rows = async (page: Page) =>
  (await page.locator('tbody tr').allInnerTexts()).map((text) => text.replaceAll(/\s+/g, ' '));

const showing = (page: Page, ...texts: string[]) =>
  eventually(
    () => rows(page),
    (shown) => texts.every((text) => shown.some((row) => row.includes(text))),
    30_000,
  );

test.for(['light', 'dark'] as const)('shows the agents live, and makes new ones, in a %s window', async (scheme) => {
  const name = scheme === 'light' ? 'Wanda' : 'Wilma';
  const { page, problems } = await open(scheme);
  await signIn(page);
  await page.getByRole('status').filter({ hasText: 'Live' }).waitFor();
  await showing(page, 'Gateway agent Gateway', 'Lena Lead');

  await addAgent(server.owner, board.id, name);
  await showing(page, `${name} Worker · Generalist Launch Idle Online Succeeded`);
  await page.getByText(`${name} is idle`).waitFor({ state: 'attached' });

  await page.getByLabel('Board').first().selectOption('Launch');
  await eventually(
    () => rows(page),
    (shown) => shown.length > 0 && shown.every((row) => row.includes('Launch')),
  );

  const form = page.getByRole('region', { name: 'New agent' });
  await form.getByLabel('Heartbeat, in seconds').fill('5');
  await form.getByRole('button', { name: 'Create' }).click();
  await form.getByText('must be at least 30').waitFor();
  expect(await form.getByLabel('Name').getAttribute('aria-invalid')).toBe('true');
  await shoot(page, `agents-page-form-${scheme}`);

  await form.getByLabel('Name').fill(`${name} the second`);
  await form.getByLabel('Role').fill('Tester');
  await form.getByLabel('Heartbeat, in seconds').fill('600');
  await form.getByRole('button', { name: 'Create' }).click();
  await form.getByText(`${name} the second is on its way.`).waitFor();
  await showing(page, `${name} the second Worker · Tester Launch Idle Online Succeeded`);

  await form.getByLabel('Name').fill(name.toUpperCase());
  await form.getByRole('button', { name: 'Create' }).click();
  await form.getByRole('alert').filter({ hasText: name }).waitFor();
  await page.getByLabel('Board').first().selectOption('All boards');
  await showing(page, 'Gateway agent', `${name} the second`);
  await shoot(page, `agents-page-${scheme}`);
  expect(problems).toEqual([]);
});

test('shows what has happened while its connection was broken', async () => {
  const { page, problems } = await open();
  const leaving = await addAgent(server.owner, board.id, 'Leaving');
  await signIn(page);
  await showing(page, 'Leaving');

  network.refuse();
  await page.getByRole('status').filter({ hasText: 'Trying again' }).waitFor();
  await shoot(page, 'agents-page-broken');
  await server.owner.run(DeleteAgent, { id: leaving.id });
  await addAgent(server.owner, board.id, 'Newcomer');
  await network.heal();
  await showing(page, 'Newcomer');
  expect((await rows(page)).filter((row) => /Leaving|Newcomer/.test(row))).toHaveLength(1);
  await page.getByRole('status').filter({ hasText: 'Live' }).waitFor();
  // The browser tells of each attempt to connect that fails.
  expect(problems.filter((problem) => !/WebSocket/.test(problem))).toEqual([]);
});

test('says when the token is not good', async () => {
  const { page } = await open();
  await signIn(page, 'mistyped');
  await page.getByRole('alert').filter({ hasText: 'This needs a valid token' }).waitFor();
});
