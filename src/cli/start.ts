import type { Command } from 'commander';

export function addStart(program: Command): void {
  program
    .command('start')
    .summary('start the server')
    .description(
      'Starts the server, as npm start does. Settings come from the environment; its lines are JSON when stdout is no terminal.',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  mission-control start\n  PORT=9000 DATA_DIR=/var/lib/mission-control mission-control start',
    )
    .action(async () => {
      await import('../start.ts');
    });
}
