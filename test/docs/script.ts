import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Output {
  stdout: string;
  stderr: string;
  /** Null when it was ended. */
  code: number | null;
}

/**
 * Runs a script with bash, as somebody would who copies it from the page.
 * @param isEnough whether what it has printed will do: then it is ended, with all that it has started
 */
export async function runScript(
  script: string,
  isEnough: (output: Output) => boolean,
  timeoutMs: number,
): Promise<Output> {
  const shell = spawn('bash', ['-eu', '-c', script], {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const output: Output = { stdout: '', stderr: '', code: null };
  // The whole group: curl outlives its shell.
  const end = () => shell.pid && shell.exitCode === null && process.kill(-shell.pid, 'SIGKILL');
  const timer = setTimeout(end, timeoutMs);
  shell.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
    if (isEnough(output)) end();
  });
  shell.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const [code] = (await once(shell, 'close')) as [number | null];
  clearTimeout(timer);
  return { ...output, code };
}
