import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SyncGatewayTemplates } from '../support/documents.ts';
import { expectAllWell } from './connecting.ts';
import { gatewayWhen } from './reading.ts';
import { Stage } from './stage.ts';

// What an operator reads of the template folder, which is read again at every sync. The tests come one after the other:
// the folder is one for all gateways.

const BUILT_IN = fileURLToPath(new URL('../../templates', import.meta.url));
const file = (name: string) => path.join(folder, name);

let folder: string;
let stage: Stage;
let gatewayId: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'mission-control-templates-'));
  await cp(BUILT_IN, folder, { recursive: true });
  stage = await Stage.open({ TEMPLATES_DIR: folder });
  gatewayId = await stage.add(await stage.simulator());
  await expectAllWell(stage, gatewayId);
});
afterAll(async () => {
  await stage.close();
  await rm(folder, { recursive: true });
});

it('a template is not valid Liquid, until it is', async () => {
  const template = await readFile(file('SOUL.md.liquid'), 'utf8');
  await writeFile(file('SOUL.md.liquid'), 'Be {{ kind');
  await expectFailed('Line 1 of the template SOUL.md.liquid has an output that is never closed: {{ kind.');
  await writeFile(file('SOUL.md.liquid'), template);
  await sync();
  await expectAllWell(stage, gatewayId);
});

it('a template is missing', async () => {
  await rm(file('SOUL.md.liquid'));
  await expectFailed(`The template folder ${folder} lacks SOUL.md.liquid.`);
});

async function expectFailed(message: string): Promise<void> {
  await sync();
  const { provisioning } = await gatewayWhen(stage, gatewayId, (gateway) => gateway.provisioning.phase === 'FAILED');
  expect(provisioning.nextAttemptAt).toBeNull();
  expect(provisioning.lastError).toEqual({
    message,
    code: 'VALIDATION',
    gatewayCode: null,
    retryable: false,
    hint: 'Correct the template or the text that is too long with updateAgent, or in the template folder and call syncGatewayTemplates.',
  });
}

async function sync(): Promise<void> {
  const { syncGatewayTemplates } = await stage.mc.owner.run(SyncGatewayTemplates, { input: { gatewayId } });
  if (syncGatewayTemplates.__typename !== 'TemplateSync') expect.fail(JSON.stringify(syncGatewayTemplates));
}
