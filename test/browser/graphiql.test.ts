import { Kind, parse } from 'graphql';
import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { ADMIN_TOKEN, type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { launchChromium, shoot, watch } from './chromium.ts';
import { GraphiQL } from './graphiql.ts';

let server: MissionControl;
let stopped: Promise<void> | null;
let gateway: Simulator;
let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(() => browser?.close());

let context: BrowserContext;
let problems: string[];

beforeEach(async () => {
  server = await startMissionControl();
  stopped = null;
  gateway = await startSimulator({ agents: 'live' });
  context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  problems = watch(context, server.url);
});

afterEach(async () => {
  await context.close();
  await stopServer();
  await gateway.stop();
});

/** Once, at the latest when the test is over. */
function stopServer(): Promise<void> {
  stopped ??= server.stop();
  return stopped;
}

test.for(['light', 'dark'] as const)('the main job, in a %s window', async (colorScheme) => {
  const picture = (name: string) => shoot(graphiql.page, `graphiql-${name}-${colorScheme}`);
  await context.close();
  context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme });
  problems = watch(context, server.url);

  const graphiql = await GraphiQL.open(context, server.url);
  await graphiql.resultWith('Put your token into the Headers pane');
  await picture('welcome');

  await graphiql.enterToken(ADMIN_TOKEN);
  await graphiql.resultWith('The token is good');
  await graphiql.run();
  await graphiql.resultWith('"kind": "OPERATOR"', '"role": "OWNER"');
  await picture('query');

  await graphiql.openTab('AddGateway');
  const example = await graphiql.query();
  await graphiql.replaceQuery(
    example
      .replace('ws://127.0.0.1:18789', gateway.url)
      .replace('GATEWAY-TOKEN', gateway.token)
      .replace('~/.openclaw', gateway.stateDir),
  );
  await graphiql.run('AddGateway');
  const made = JSON.parse(await graphiql.resultWith('"__typename": "Gateway"'));
  await picture('mutation');

  await graphiql.openTab('Live');
  await graphiql.subscribe();
  const board = await addBoard(server.owner, made.data.createGateway.id);
  await addAgent(server.owner, board.id, 'Wanda');
  const live = JSON.parse(await graphiql.resultWith('Wanda', 'CREATED', 'REGISTER', 'WAKE', 'HEARTBEAT'));
  expect(live.data.agentEvents.at >= live.earlier.at(-1).agentEvents.at).toBe(true);
  await picture('live');

  await graphiql.openTab('Fleet');
  await graphiql.run();
  await graphiql.resultWith('"totalCount": 2', '"name": "Wanda"');
  await graphiql.page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  await graphiql.page.getByText('Root Types').waitFor();
  await picture('documentation');
  expect(problems).toEqual([]);
});

test('every tab that is there at first can be run as it stands, one after the other', async () => {
  const graphiql = await GraphiQL.open(context, server.url);
  await graphiql.enterToken(ADMIN_TOKEN);
  await graphiql.resultWith('The token is good');
  const ran: string[] = [];
  for (const tab of await graphiql.tabs()) {
    await graphiql.openTab(tab);
    const text = await graphiql.query();
    expect(text).toMatch(/^# /);
    // What is wider is cut off where the window is 1280 wide.
    expect(text.split('\n').filter((line) => line.startsWith('#') && line.length > 50)).toEqual([]);
    const operations = parse(text).definitions.filter((each) => each.kind === Kind.OPERATION_DEFINITION);
    for (const { operation, name, selectionSet } of operations) {
      const [field] = selectionSet.selections;
      const wanted = `"${field?.kind === Kind.FIELD ? field.name.value : ''}": {`;
      ran.push(name?.value ?? '');
      if (operation === 'subscription') {
        await graphiql.subscribe();
        await addGateway(server.owner, gateway, 'Another');
      } else {
        await graphiql.run(operations.length > 1 ? name?.value : undefined);
      }
      const result = await graphiql.resultWith('"data": {', wanted);
      expect(result).not.toMatch(/"errors"|"__typename": "\w+Error"/);
    }
  }
  expect(ran).toEqual('WhoAmI AddGateway ChangeGateway Gateways MakeBoard AddWorker Live Fleet'.split(' '));
  expect(problems).toEqual([]);
});

test('each operation is sent with the headers of its moment, also over WebSocket', async () => {
  await addGateway(server.owner, gateway);
  const graphiql = await GraphiQL.open(context, server.url);
  await graphiql.enterToken(ADMIN_TOKEN);
  await graphiql.resultWith('The token is good');
  await graphiql.openTab('Live');
  await graphiql.replaceQuery('subscription { agentEvents(since: "2000-01-01T00:00:00Z") { type } }');
  await graphiql.run();
  await graphiql.resultWith('CREATED');
  await graphiql.stop();

  await graphiql.replaceHeaders({ Authorization: 'Bearer mistyped' });
  await graphiql.run();
  await graphiql.resultWith('The server does not know the token in the Headers pane.');

  await graphiql.replaceHeaders({ authorization: `Bearer ${ADMIN_TOKEN}` });
  await graphiql.run();
  await graphiql.resultWith('CREATED');
  await graphiql.stop();

  await graphiql.replaceHeaders({ Authorization: '' });
  await graphiql.run();
  await graphiql.resultWith('Put your token into the Headers pane');
  expect(problems).toEqual([]);
});

test('a subscription that the server refuses or ends says why', async () => {
  const graphiql = await GraphiQL.open(context, server.url);
  await graphiql.enterToken(ADMIN_TOKEN);
  await graphiql.resultWith('The token is good');
  await graphiql.openTab('Live');
  await graphiql.replaceQuery('subscription { agentEvents(after: "nonsense") { type } }');
  await graphiql.run();
  await graphiql.resultWith('"errors"', 'after');

  await graphiql.replaceQuery('subscription { agentEvents { type } }');
  await graphiql.subscribe();
  await stopServer();
  await graphiql.resultWith('The connection has ended (1012');
  expect(problems).toEqual([]);
});

test('the token is asked for once: for all tabs, new ones, and after a reload', async () => {
  const graphiql = await GraphiQL.open(context, server.url);
  await graphiql.enterToken(ADMIN_TOKEN);
  await graphiql.resultWith('The token is good');
  await graphiql.openTab('Fleet');
  await graphiql.run();
  await graphiql.resultWith('"totalCount": 0');

  await graphiql.page.getByRole('button', { name: 'New tab' }).click();
  await graphiql.replaceQuery('query Mine { viewer { role } }');
  await graphiql.run();
  await graphiql.resultWith('OWNER');
  await graphiql.page.getByRole('tab', { name: 'Mine' }).waitFor();
  const tabs = await graphiql.tabs();

  await graphiql.reload();
  expect(await graphiql.headers()).toContain(ADMIN_TOKEN);
  expect(await graphiql.tabs()).toEqual(tabs);
  await graphiql.run();
  await graphiql.resultWith('OWNER');
  expect(problems).toEqual([]);
});

test('the editor completes fields from the schema', async () => {
  const graphiql = await GraphiQL.open(context, server.url);
  await graphiql.enterToken(ADMIN_TOKEN);
  await graphiql.resultWith('The token is good');
  await graphiql.replaceQuery('{ vie');
  await graphiql.page.keyboard.press('Control+End');
  await graphiql.page.keyboard.press('Control+Space');
  await graphiql.page.getByRole('option', { name: /^viewer/ }).waitFor();
  expect(problems).toEqual([]);
});
