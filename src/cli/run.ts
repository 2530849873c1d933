import { CommanderError } from 'commander';
import { FAILED, sentenceOf, WRONG_USAGE } from './output.ts';
import { createProgram } from './program.ts';

// mission-control, the operator's tools. A command sets the exit code when what it looked at is not in order.

// Whoever read this has gone, as head does when it has enough.
process.stdout.on('error', () => process.exit(FAILED));

try {
  await createProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : WRONG_USAGE;
  } else {
    const sentence = sentenceOf(error);
    process.stderr.write(
      process.argv.includes('--json') ? `${JSON.stringify({ error: sentence })}\n` : `${sentence}\n`,
    );
    process.exitCode = FAILED;
  }
}
