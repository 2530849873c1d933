import { afterEach, beforeEach, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { HttpServer } from '../../src/http/http-server.ts';
import { createLog } from '../../src/log.ts';
import { Metrics } from '../../src/observability/metrics.ts';

let server: HttpServer;
let url: string;
beforeEach(async () => {
  server = new HttpServer(createLog('silent'), { bodyBytes: 1_024, requestTimeoutSeconds: 10, overHttps: false });
  url = `http://127.0.0.1:${await server.listen('127.0.0.1', 0)}`;
});
afterEach(() => server.close(0));

async function get(path: string) {
  const response = await fetch(url + path, { redirect: 'manual' });
  return { status: response.status, body: await response.text() };
}

it('answers probes before the rest is there: alive, but not ready', async () => {
  expect(await get('/healthz')).toEqual({ status: 200, body: `{"ok":true,"version":"${packageJson.version}"}\n` });
  expect(await get('/readyz')).toEqual({
    status: 503,
    body: '{"ready":false,"missing":"The database is being opened."}\n',
  });
  expect((await get('/graphql')).status).toBe(503);
  expect((await get('/nothing')).status).toBe(404);
});

it('is ready as long as nothing is missing', async () => {
  let missing: string | null = null;
  const graphql = (() => expect.fail('not asked for')) as unknown as Parameters<HttpServer['serve']>[0]['graphql'];
  server.serve({ graphql, readiness: async () => missing, metrics: new Metrics(createLog('silent')) });
  expect(await get('/readyz')).toEqual({ status: 200, body: '{"ready":true}\n' });
  missing = 'The database does not answer.';
  expect(await get('/readyz')).toEqual({
    status: 503,
    body: '{"ready":false,"missing":"The database does not answer."}\n',
  });
  expect((await get('/healthz')).status).toBe(200);
});
