import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { AgentEvents, CreateAgent, ReadAgent } from '../support/documents.ts';
import { addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { ADMIN_TOKEN } from '../support/mission-control.ts';
import { preparedFolder, startProcess } from '../support/server-process.ts';
import { type Span, TraceCollector, textOf } from '../support/trace-collector.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
/** Of an operation over WebSocket. */
const SOCKET_TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = 'b7ad6b7169203331';

describe('traces', () => {
  let gateway: Simulator;
  let collector: TraceCollector;
  let folder: string;
  beforeAll(async () => {
    gateway = await startSimulator();
    collector = await TraceCollector.start();
    folder = await preparedFolder();
  });
  afterAll(async () => {
    await gateway.stop();
    await collector.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('lead from a request over its statements to what was done at the gateway, and hold no secrets', async () => {
    const { server, url, owner } = await startProcess(folder, {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20collector',
      OTEL_SERVICE_NAME: 'mission-control-test',
      LOG_LEVEL: 'debug',
    });
    const { id: gatewayId, mainAgent } = await addGateway(owner, gateway);
    await provisioned(owner, mainAgent?.id ?? '');
    const board = await addBoard(owner, gatewayId);
    const live = owner.subscribe(AgentEvents);
    await live.connected;

    const input = { boardId: board.id, name: 'Wanda', soulTemplate: 'A soul that is nobody’s business.' };
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Authorization: `Bearer ${ADMIN_TOKEN}`,
        traceparent: `00-${TRACE}-${CALLER}-01`,
      },
      body: JSON.stringify({ query: CreateAgent.toString(), variables: { input } }),
    });
    const { data } = (await response.json()) as { data: { createAgent: { id: string; workspacePath: string } } };
    await provisioned(owner, data.createAgent.id);
    await live.stop();
    const socket = createClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    const extensions = { traceparent: `00-${SOCKET_TRACE}-${CALLER}-01` };
    for await (const { errors } of socket.iterate({ query: '{ viewer { __typename } }', extensions }))
      expect(errors).toBeUndefined();
    await socket.dispose();
    // What waits to be sent is sent before it ends.
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(server.stderr).toBe('');

    expect(collector.requests[0]).toEqual({ url: '/v1/traces', authorization: 'Bearer collector' });
    expect(new Set(collector.resources)).toEqual(new Set(['mission-control-test']));
    const trace = collector.spans.filter(({ traceId }) => traceId === TRACE);
    const request = only(trace, 'POST /graphql');
    expect(request).toMatchObject({ parentSpanId: CALLER, kind: 2 });
    const mutation = only(trace, 'mutation createAgent');
    expect(mutation.parentSpanId).toBe(request.spanId);
    const insert = trace.find((span) => textOf(span, 'db.query.text')?.startsWith('INSERT INTO "public"."Agent"'));
    expect(pathTo(trace, insert)).toEqual(['POST /graphql', 'mutation createAgent', 'INSERT']);
    expect(pathTo(trace, only(trace, 'COMMIT', mutation))).toEqual(['POST /graphql', 'mutation createAgent', 'COMMIT']);

    // The run that it has caused.
    const run = only(trace, 'provision');
    expect(pathTo(trace, only(trace, 'config.patch'))).toEqual([...pathTo(trace, run), 'config.patch']);
    expect(pathTo(trace, run).slice(0, 2)).toEqual(['POST /graphql', 'mutation createAgent']);
    for (const [step, method] of [
      ['WRITE_DOCUMENTS', 'agents.files.set'],
      ['PREPARE_SESSION', 'sessions.patch'],
      ['WAKE', 'chat.send'],
    ] as const) {
      const call = trace.find(({ name }) => name === method);
      expect(call?.kind).toBe(3);
      expect(pathTo(trace, call)).toEqual([...pathTo(trace, run), step, method]);
    }
    expect(trace.filter(({ status }) => status.code === 2)).toEqual([]);

    const [overSocket] = collector.spans.filter(({ traceId }) => traceId === SOCKET_TRACE);
    expect(overSocket).toMatchObject({ name: 'query viewer', parentSpanId: CALLER });

    // Nothing goes on in the trace of a subscription that has begun long ago.
    const begun = only(collector.spans, 'subscription agentEvents');
    expect(collector.spans.filter(({ traceId }) => traceId === begun.traceId).map(({ name }) => name)).not.toContain(
      'COMMIT',
    );
    // Nor does what is done every second begin any.
    const roots = collector.spans.filter(({ parentSpanId }) => !parentSpanId).map(({ name }) => name);
    for (const name of roots) expect(['POST /graphql', 'subscription agentEvents', 'provision']).toContain(name);

    const documents = await readFile(path.join(data.createAgent.workspacePath, 'AGENTS.md'), 'utf8');
    const [agentToken = ''] = /mca_[\w-]{43}/.exec(documents) ?? [];
    expect(agentToken).not.toBe('');
    for (const secret of [ADMIN_TOKEN, agentToken, gateway.token, input.soulTemplate, 'Wanda'])
      expect(collector.text).not.toContain(secret);

    const lines = server.stdout.split('\n').filter((line) => line.includes(TRACE));
    const messages = lines.map((line) => JSON.parse(line)).map(({ msg, trace_id }) => [trace_id, msg]);
    expect(messages).toContainEqual([TRACE, 'request']);
    expect(messages).toContainEqual([TRACE, 'agent provisioned']);
  });

  it('that cannot be sent cost nothing but a line in the log', async () => {
    const { server, owner } = await startProcess(folder, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' });
    await owner.run(ReadAgent, { id: randomUUID() });
    const stopped = performance.now();
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - stopped).toBeLessThan(10_000);
    expect(server.stdout).toContain('cannot send traces');
    expect(server.stderr).toBe('');
  });
});

function only(spans: Span[], name: string, parent?: Span): Span {
  const found = spans.filter((span) => span.name === name && (!parent || span.parentSpanId === parent.spanId));
  if (found.length !== 1 || !found[0])
    expect.fail(`${found.length} spans ${name} of ${spans.map((span) => span.name)}`);
  return found[0];
}

/** The names of the spans that it is part of, from the outermost one on, as far as they are here. */
function pathTo(spans: Span[], span: Span | undefined): string[] {
  if (!span) return [];
  return [
    ...pathTo(
      spans,
      spans.find(({ spanId }) => spanId === span.parentSpanId),
    ),
    span.name,
  ];
}
