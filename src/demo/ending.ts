const SAME_SIGNAL_MS = 500;

/**
 * Aborted when the user wants an end: on ctrl-C, or when nobody reads any more. A second ctrl-C ends the process at once, but not one
 * of the same keypress: under npm it comes twice, from the terminal and passed on by npm.
 */
export function untilEnded(): AbortSignal {
  const ending = new AbortController();
  let endingSince = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (ending.signal.aborted && Date.now() - endingSince > SAME_SIGNAL_MS) process.exit(130);
      endingSince ||= Date.now();
      ending.abort();
    });
  // Whoever reads this has gone.
  process.stdout.on('error', () => ending.abort());
  return ending.signal;
}
