import { expect } from 'vitest';
import { UpdateGateway } from '../support/documents.ts';
import { checkGateway, gatewayWhen, readGateway } from './reading.ts';
import type { Cause, Kind } from './row.ts';
import type { Address, Stage } from './stage.ts';

// Failures to connect: told by the gateway's connection, by what waits to be provisioned there, and by checkGateway.

export interface ToConnect extends Address {
  /** Does what the hint says, where that is done at the gateway. */
  repair?: () => void | Promise<void>;
  /** What the hint says to change with updateGateway. */
  settings?: { url?: string; token?: string; tlsFingerprint?: string };
}

export interface ConnectionFailure extends Told {
  /** Makes the cause. */
  to: (stage: Stage) => ToConnect | Promise<ToConnect>;
}

interface Told extends Kind {
  state: 'UNREACHABLE' | 'UNAUTHORIZED' | 'PAIRING_REQUIRED' | 'INCOMPATIBLE';
  /** Whether it is connected to again without anybody asking for it. */
  triesAgain: boolean;
  message: string | ((url: string) => string);
  hint: string;
  /** @default null */
  gatewayCode?: string;
  /** An attempt takes 10 s: neither the time of the next one nor checkGateway is waited for. @default false */
  slow?: boolean;
}

/** A gateway that cannot be connected to; what is done about it helps. */
export function connecting(cause: string, failure: ConnectionFailure): Cause {
  return {
    cause,
    show: async (stage) => {
      const address = await failure.to(stage);
      const id = await stage.add(address);
      await expectToldEverywhere(stage, id, address.url, failure);
      if (address.settings) await updateGateway(stage, { id, ...address.settings });
      if (address.repair) {
        await address.repair();
        if (!failure.triesAgain) await checkGateway(stage, id);
      }
      if (address.settings ?? address.repair) await expectAllWell(stage, id);
    },
  };
}

export async function updateGateway({ mc }: Stage, input: { id: string } & ToConnect['settings']): Promise<void> {
  const { updateGateway } = await mc.owner.run(UpdateGateway, { input });
  if (updateGateway.__typename !== 'Gateway') expect.fail(JSON.stringify(updateGateway));
}

export async function expectToldEverywhere(stage: Stage, id: string, url: string, failure: Told): Promise<void> {
  const { state, triesAgain, hint, code, retryable, gatewayCode = null, slow = false } = failure;
  const message = typeof failure.message === 'string' ? failure.message : failure.message(url);
  const phase = retryable ? 'RETRYING' : 'FAILED';
  const { connection } = await gatewayWhen(
    stage,
    id,
    // The next attempt's time is not told while one is under way.
    (gateway) =>
      gateway.connection.state === state && (!triesAgain || slow || gateway.connection.nextAttemptAt !== null),
  );
  expect(connection).toMatchObject({ lastError: message, hint, connectedAt: null });
  if (!triesAgain) expect(connection.nextAttemptAt).toBeNull();
  const { provisioning } = await gatewayWhen(stage, id, (gateway) => gateway.provisioning.phase === phase);
  expect(provisioning.lastError).toEqual({ message, code, gatewayCode, retryable, hint });
  expect(provisioning.nextAttemptAt === null).toBe(!retryable);
  if (slow) return;
  expect(await checkGateway(stage, id)).toEqual({
    __typename: 'GatewayError',
    message,
    code,
    gatewayCode,
    retryable,
    hint,
  });
}

/** The gateway is connected, its main agent is provisioned, and nothing is said to be wrong any more. */
export async function expectAllWell(stage: Stage, id: string): Promise<void> {
  await gatewayWhen(
    stage,
    id,
    ({ connection, provisioning }) => connection.state === 'CONNECTED' && provisioning.phase === 'SUCCEEDED',
  );
  const { connection, provisioning } = await readGateway(stage, id);
  expect(connection).toMatchObject({ lastError: null, hint: null, nextAttemptAt: null });
  expect(provisioning).toMatchObject({ lastError: null, hint: null, nextAttemptAt: null });
}
