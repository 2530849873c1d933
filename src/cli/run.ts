import { CommanderError } from 'commander';
import { FAILED, sentenceOf, WRONG_USAGE } from './output.ts';
import { createProgram } from './program.ts';

// mission-control, the operator's tools. A command sets the exit code when what it looked at is not in order.

// Whoever read this has gone, as head does when it has enough.
process.stdout.on('error', () => process.exit(FAILED));

/** Known before the call is understood: what is wrong with it is told as it asks for, too. */
const isJson = process.argv.includes('--json');
const printError = (sentence: string) =>
  process.stderr.write(isJson ? `${JSON.stringify({ error: sentence })}\n` : `${sentence}\n`);

try {
  await createProgram({ isSilent: isJson }).parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) {
    printError(sentenceOf(error));
    process.exitCode = FAILED;
  } else if (error.exitCode !== 0) {
    if (isJson) printError(usageSentenceOf(error));
    process.exitCode = WRONG_USAGE;
  }
}

/** Commander's sentence in one line, without the word that it begins with. Where it shows its help instead, it has none. */
function usageSentenceOf({ code, message }: CommanderError): string {
  if (code === 'commander.help') return 'Which command? Add --help, without --json, for all of them.';
  return message.replace(/^error: /, '').replaceAll('\n', ' ');
}
