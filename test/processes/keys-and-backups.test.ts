import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { runCommand, startCommand } from '../support/command.ts';
import { eventually } from '../support/eventually.ts';
import { startProcess } from '../support/server-process.ts';
import { Installed, refusedStart, stoppedInstallation } from '../support/stopped-installation.ts';

let gateway: Simulator;
let DATA_DIR: string;
let keyFile: string;
/** For what tests make. */
let own: string;
beforeAll(async () => {
  gateway = await startSimulator();
  own = await mkdtemp(path.join(tmpdir(), 'mission-control-backups-'));
  DATA_DIR = await stoppedInstallation(gateway);
  keyFile = path.join(DATA_DIR, 'secret.key');
});
afterAll(async () => {
  await gateway.stop();
  for (const made of [DATA_DIR, own]) await rm(made, { recursive: true, force: true });
});

const keys = async () => (await readFile(keyFile, 'utf8')).trim().split('\n');

it('keys are rotated, also when that is killed (-9) at any step and done again', async () => {
  const [old = ''] = await keys();
  const killed = startCommand(['keys', 'rotate'], { DATA_DIR });
  await eventually(keys, ([key]) => key !== old);
  killed.child.kill('SIGKILL');
  await killed.ended;
  const [first = ''] = await keys();
  // A server can work with whatever was left, and rotation goes on from it.
  const { server, owner } = await startProcess(DATA_DIR);
  await eventually(
    () => owner.run(Installed),
    ({ gateways }) => gateways.nodes[0]?.connection.state === 'CONNECTED',
  );
  await server.stop();
  const rotate = () => runCommand(['keys', 'rotate', '--json'], { DATA_DIR });
  if ((await keys()).length === 2) expect(await rotate()).toMatchObject({ code: 0, stderr: '' });
  expect(await keys()).toEqual([first]);

  // As it is when the new key is there, and nothing has been done with it.
  const next = randomBytes(32).toString('base64');
  await writeFile(keyFile, `${next}\n${first}\n`);
  const whole = await rotate();
  expect(whole, whole.stderr).toMatchObject({ code: 0, stderr: '' });
  // The gateway's token, and the key of this installation's device.
  expect(JSON.parse(whole.stdout)).toMatchObject({ reencrypted: 2, current: 0 });
  expect(await keys()).toEqual([next]);
  expect((await stat(keyFile)).mode & 0o777).toBe(0o600);

  // As it is when all is done but dropping the old one.
  await writeFile(keyFile, `${next}\n${first}\n`);
  const last = await rotate();
  expect(JSON.parse(last.stdout)).toMatchObject({ reencrypted: 0, current: 2 });
  expect(await keys()).toEqual([next]);
  for (const key of [old, first, next]) expect(whole.stdout + last.stdout).not.toContain(key);
  expect(await refusedStart({ DATA_DIR, SECRET_KEY: first })).toMatchObject({ code: 1 });
});

it('everything is there after a backup and its restoring', async () => {
  const [file, restored, garbage] = ['backup.tar.gz', 'restored', 'garbage'].map((name) => path.join(own, name)) as [
    string,
    string,
    string,
  ];
  const to = { DATA_DIR: restored };
  expect(await runCommand(['backup', file], { DATA_DIR })).toMatchObject({ code: 0, stderr: '' });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await writeFile(garbage, 'This is no backup.');
  const overwriting = await runCommand(['backup', file], { DATA_DIR });
  expect(overwriting.stderr).toBe(`${file} is there already. Give another name, or remove it first.\n`);
  expect((await runCommand(['restore', file], to)).stderr).toMatch(/secret\.key is missing/);
  expect((await runCommand(['restore', garbage], to)).stderr).toBe(`${garbage} is no backup of a database.\n`);

  await writeFile(path.join(restored, 'secret.key'), await readFile(keyFile), { mode: 0o600 });
  expect(await runCommand(['restore', file], to)).toMatchObject({ code: 0, stderr: '' });
  const onto = await runCommand(['restore', file], to);
  expect(onto).toMatchObject({ code: 1, stderr: expect.stringMatching(/There is a database in .* Give --force/) });

  const { server, owner } = await startProcess(restored);
  const whole = await eventually(
    () => owner.run(Installed),
    ({ gateways }) => gateways.nodes[0]?.connection.state === 'CONNECTED',
  );
  expect(whole).toMatchObject({ viewer: { role: 'OWNER' }, gateways: { nodes: [{}] } });
  const onServer = await runCommand(['restore', file, '--force'], to);
  expect(onServer).toMatchObject({ code: 1, stderr: expect.stringContaining(`in use by process ${server.pid}.`) });
  await server.stop();
  expect(await runCommand(['restore', file, '--force'], to)).toMatchObject({ code: 0, stderr: '' });
  const doctor = await runCommand(['doctor'], to);
  expect(doctor, doctor.stdout).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^ok +keys +They decrypt all/m),
  });
  expect((await runCommand(['doctor'], { ...to, SECRET_KEY: randomBytes(32).toString('base64') })).stdout).toMatch(
    /^FAIL keys +SECRET_KEY does not have the key/m,
  );
});
