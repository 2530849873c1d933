import { z } from 'zod';
import { GatewayError } from './errors.ts';
import { UPDATE_OPENCLAW } from './failures/rule.ts';

/** What a gateway says of itself when it accepts a connection. */
export interface Hello {
  /** 4 on OpenClaw 2026.5.9 and later. */
  protocol: number;
  /** For example `2026.9.6`; a protocol 3 gateway says `dev`. */
  serverVersion: string | null;
  /** Another one after every restart, also one within the process. Null on protocol 3. */
  bootId: string | null;
  /** Names of the methods that this connection may call. */
  methods: readonly string[];
  /** For example `["operator.admin"]`; empty for a remote client with the shared token and no device; null when not told. */
  scopes: readonly string[] | null;
  /** Where the gateway keeps its state, the root of agents' workspaces by default. */
  stateDir: string | null;
  /** False when no model is configured, so that every run fails. Null when not told. */
  modelConfigured: boolean | null;
}

// Loose and forgiving on purpose: gateways are ahead of the published schema, and protocol 3 sends `auth: null`.
const helloFrame = z.looseObject({
  protocol: z.number(),
  server: z.looseObject({ version: z.string().nullish(), bootId: z.string().nullish() }).nullish(),
  features: z.looseObject({ methods: z.array(z.string()).nullish() }).nullish(),
  auth: z.looseObject({ scopes: z.array(z.string()).nullish() }).nullish(),
  snapshot: z
    .looseObject({
      stateDir: z.string().nullish(),
      sessionDefaults: z.looseObject({ modelConfigured: z.boolean().nullish() }).nullish(),
    })
    .nullish(),
});

/** Reads a hello-ok frame; throws a `ZodError` when it is none. */
export function readHello(frame: unknown): Hello {
  const hello = helloFrame.parse(frame);
  return {
    protocol: hello.protocol,
    serverVersion: hello.server?.version ?? null,
    bootId: hello.server?.bootId ?? null,
    methods: hello.features?.methods ?? [],
    scopes: hello.auth?.scopes ?? null,
    stateDir: hello.snapshot?.stateDir ?? null,
    modelConfigured: hello.snapshot?.sessionDefaults?.modelConfigured ?? null,
  };
}

/**
 * Why an accepted connection is of no use; null when it is. Both cases were measured: protocol 3 on OpenClaw 2026.2.26, and on
 * 2026.9.6 a hello without scopes. A device gets that only by a proxy that narrows them with the header `x-openclaw-scopes`; a
 * client of another host without a device gets it always.
 */
export function refusalOf(hello: Hello): GatewayError | null {
  if (hello.protocol < 4) {
    return new GatewayError({
      kind: 'rejected',
      reason: 'protocol-mismatch',
      message: `The gateway speaks protocol ${hello.protocol}; this server speaks protocol 4.`,
      retryable: false,
      hint: UPDATE_OPENCLAW,
      connection: 'INCOMPATIBLE',
    });
  }
  if (hello.scopes && !hello.scopes.includes('operator.admin')) {
    return new GatewayError({
      kind: 'rejected',
      reason: 'no-rights',
      message: 'The gateway lets this server in but gives it no administrator rights (operator.admin).',
      retryable: false,
      hint: 'Let the proxy before the gateway pass operator.admin in its header x-openclaw-scopes, or reach the gateway without that proxy, for example through a tunnel.',
      connection: 'UNAUTHORIZED',
    });
  }
  return null;
}
