import { ConfigError, readConfig, type Tracing } from './config.ts';
import { createLog, type Log } from './log.ts';
import { startServer } from './server.ts';
import { VERSION } from './version.ts';

// Starts the server, says where it is, and stops it on SIGTERM and SIGINT; a second signal exits at once.

/** What is under way has 10 s to end; what has not ended by then waits for a database that does not answer. */
const STOP_TIMEOUT_MS = 20_000;

try {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  const tracing = config.tracing ? startTracing(config.tracing, log) : null;
  const starting = Promise.resolve(tracing).then(() => startServer(config, log));

  let stopping = false;
  const stop = () => {
    if (stopping) process.exit(1);
    stopping = true;
    const giveUp = () => {
      log.fatal('cannot stop in time');
      process.exit(1);
    };
    setTimeout(giveUp, config.drainSeconds * 1_000 + STOP_TIMEOUT_MS).unref();
    starting
      .then((server) => server.stop())
      .then(async () => (await tracing)?.())
      .then(
        () => process.exit(0),
        (error: unknown) => {
          log.fatal({ err: error }, 'cannot stop cleanly');
          process.exit(1);
        },
      );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  if (process.env.npm_lifecycle_event !== undefined) whenParentEnds(() => stopping || stop());
  // Also when it is to stop again already: a token that was made now is shown only here.
  announce(await starting);
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exit(1);
}

/** Only where traces are asked for is what makes them loaded. @returns what sends the last ones and ends it */
async function startTracing(tracing: Tracing, log: Log): Promise<() => Promise<void>> {
  return (await import('./observability/tracing.ts')).startTracing(tracing, VERSION, log);
}

/**
 * A signal to `npm start` ends npm and the shell that it runs this in, and does not come through to here: the end of
 * that shell is the sign.
 */
function whenParentEnds(act: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    act();
  }, 250);
  timer.unref();
}

function announce({ url, database, firstToken }: { url: string; database: string; firstToken: string | null }): void {
  const graphiql = `${url}/graphql`;
  const header = firstToken === null ? null : JSON.stringify({ Authorization: `Bearer ${firstToken}` });
  if (!process.stdout.isTTY) {
    const first = header === null ? {} : { firstToken, header };
    process.stdout.write(
      `${JSON.stringify({ time: Date.now(), msg: 'listening', url, graphiql, database, version: VERSION, ...first })}\n`,
    );
    return;
  }
  process.stdout.write(`
  Mission Control ${VERSION}
  Database   ${database}
  GraphiQL   ${graphiql}
`);
  if (header !== null)
    process.stdout.write(`
  Your operator token (role OWNER), shown this once:

      ${firstToken}

  In GraphiQL, put this into the Headers pane:

      ${header}
`);
  process.stdout.write('\n');
}

/** One line for what the operator can mend; the whole story for a bug. */
function explain(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  if (!(error instanceof Error)) return String(error);
  return process.env.LOG_LEVEL === 'debug'
    ? (error.stack ?? error.message)
    : `Mission Control cannot start: ${error.message}`;
}
