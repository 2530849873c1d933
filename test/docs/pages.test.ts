import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { CursorExpired } from '../../src/events/replay.ts';
import { SubscriptionOverflow } from '../../src/events/topic.ts';
import { ANSWER_FAILURES } from '../../src/gateway/failures/answers.ts';
import { HANDSHAKE_FAILURES } from '../../src/gateway/failures/handshake.ts';
import { WAIT_FOR_IT } from '../../src/gateway/failures/rule.ts';
import { TRANSPORT_FAILURES } from '../../src/gateway/failures/transport.ts';
import type { Fault } from '../../src/gateway/fault.ts';
import { variablesFor } from '../../src/provisioning/variables.ts';
import { schema } from '../../src/schema/index.ts';

const read = (page: string) => readFileSync(fileURLToPath(new URL(`../../docs/${page}`, import.meta.url)), 'utf8');

describe('docs/troubleshooting.md', () => {
  const page = read('troubleshooting.md');
  const fault: Fault = {
    message: '…',
    gatewayCode: null,
    detailCode: null,
    detailReason: null,
    systemCode: '…',
    retryable: false,
    retryAfterMs: null,
    details: { httpStatus: '…', expectedProtocol: 3 },
    method: null,
    timeoutMs: null,
    address: '…',
  };
  const rules = [...TRANSPORT_FAILURES, ...HANDSHAKE_FAILURES, ...ANSWER_FAILURES];
  const hints = rules.flatMap(({ hint }) => (typeof hint === 'string' ? [hint] : []));

  it.each([...new Set(hints)])('has the hint: %s', (hint) => {
    // Not toContain, which would print the page.
    expect(page.includes(hint)).toBe(true);
  });

  it('has the messages of what nobody has to wait for', () => {
    const missing = rules
      .filter(({ hint, message }) => message && hint !== WAIT_FOR_IT && hint !== null)
      .map(({ message }) => message?.(fault) ?? '')
      .filter((message) => !page.includes(message));
    expect(missing).toEqual([]);
  });

  it('has the codes with which subscriptions end', () => {
    expect(page).toContain(new CursorExpired().code);
    expect(page).toContain(new SubscriptionOverflow().code);
  });
});

describe('docs/templates.md', () => {
  const page = read('templates.md');

  it('has a row for each variable, and no other', () => {
    const listed = [...page.matchAll(/^\| (`[^|]*`) \| /gm)].flatMap(([, names = '']) =>
      [...names.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name),
    );
    const variables = variablesFor({
      agent: {
        id: 'a',
        kind: 'BOARD_WORKER',
        name: 'Wanda',
        sessionKey: 'agent:a:main',
        workspacePath: '/w',
        identityProfile: {},
        identityTemplate: null,
        soulTemplate: null,
      },
      board: null,
      roleSoul: null,
      baseUrl: 'http://localhost',
      authToken: 'token',
    });
    expect(listed.toSorted()).toEqual(Object.keys(variables).toSorted());
  });

  it('has a row for each template', () => {
    const folder = fileURLToPath(new URL('../../templates', import.meta.url));
    for (const name of globSync('*.liquid', { cwd: folder })) expect(page).toContain(`\`${name}\``);
  });
});

/** docs/api.md is run as a whole. */
describe.each(['../README.md', 'getting-started.md', 'templates.md', 'operations.md', 'deployment.md', 'concepts.md'])(
  'the operations of docs/%s',
  (name) => {
    const page = read(name);
    // In a shell's quotes a variable of the shell stands between two texts.
    const inCurl = [...page.matchAll(/"query": "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) =>
      String(JSON.parse(`"${text.replaceAll(/'"?\$\w+"?'/g, 'x')}"`)),
    );
    const blocks = [...page.matchAll(/^ *```graphql\n([\s\S]*?)```$/gm)].map(([, text = '']) => text);

    it.each([...inCurl, ...blocks].map((text) => [text]))('%s', (text) => {
      expect(validate(schema, parse(text)).map(({ message }) => message)).toEqual([]);
    });

    it('are as many as the page shows', () => {
      expect(inCurl).toHaveLength(page.split('"query":').length - 1);
    });
  },
);
