import { Command } from 'commander';
import { VERSION } from '../version.ts';
import { addBackup } from './backup.ts';
import { addDoctor } from './doctor.ts';
import { addGatewayCheck } from './gateway-check.ts';
import { addKeysRotate } from './keys-rotate.ts';
import { addMigrate } from './migrate.ts';
import { addRestore } from './restore.ts';
import { addStart } from './start.ts';
import { addTokenCreate } from './token-create.ts';
import { addTokenList } from './token-list.ts';
import { addTokenRevoke } from './token-revoke.ts';
import { addWatch } from './watch.ts';

/**
 * All commands. Parsing throws a CommanderError in place of ending the process.
 * @param isSilent whether what is wrong with a call is only thrown, and not printed as well
 */
export function createProgram({ isSilent = false } = {}): Command {
  const program = new Command('mission-control')
    .description(
      'The control plane for fleets of OpenClaw agents. Settings come from the environment, see docs/operations.md.',
    )
    .version(VERSION)
    .exitOverride()
    // Commands that are added afterwards have it from here.
    .configureOutput(isSilent ? { writeErr: () => undefined } : {})
    .showHelpAfterError('(add --help for the options and examples)')
    .addHelpText('after', '\nExit codes: 0 it is done, 1 it failed, 2 it was called wrongly.');
  addStart(program);
  addMigrate(program);
  const token = program.command('token').description('operator tokens, straight in the database');
  addTokenCreate(token);
  addTokenList(token);
  addTokenRevoke(token);
  addGatewayCheck(program.command('gateway').description('OpenClaw gateways'));
  addWatch(program);
  addBackup(program);
  addRestore(program);
  addKeysRotate(program.command('keys').description('the keys of stored secrets'));
  addDoctor(program);
  return program;
}
