import { expect } from 'vitest';
import { ReprovisionAgent } from '../support/documents.ts';
import { expectAllWell, type ToConnect } from './connecting.ts';
import { gatewayWhen, readGateway } from './reading.ts';
import type { Cause, Kind } from './row.ts';
import type { Stage } from './stage.ts';

// Answers of a gateway that is connected: told by the agent whose provisioning they end.

export interface AnswerFailure extends Kind {
  /** Makes the cause. */
  at: (stage: Stage) => Promise<ToConnect>;
  message: string | ((url: string) => string);
  hint: string | null;
  gatewayCode: string | null;
}

/** A gateway that fails while its main agent is provisioned, and then does not any more. */
export function answering(cause: string, failure: AnswerFailure): Cause {
  return {
    cause,
    show: async (stage) => {
      const gateway = await failure.at(stage);
      const id = await stage.add(gateway);
      await expectToldByAgent(stage, id, gateway.url, failure);
      if (!gateway.repair) return;
      await gateway.repair();
      // What only a person can change is tried again when that person asks for it.
      if (!failure.retryable) await reprovision(stage, id);
      await expectAllWell(stage, id);
    },
  };
}

async function reprovision(stage: Stage, gatewayId: string): Promise<void> {
  const { mainAgent } = await readGateway(stage, gatewayId);
  const { reprovisionAgent } = await stage.mc.owner.run(ReprovisionAgent, { input: { id: mainAgent.id } });
  if (reprovisionAgent.__typename !== 'Agent') expect.fail(JSON.stringify(reprovisionAgent));
}

async function expectToldByAgent(stage: Stage, id: string, url: string, failure: AnswerFailure): Promise<void> {
  const { code, retryable, gatewayCode, hint } = failure;
  const message = typeof failure.message === 'string' ? failure.message : failure.message(url);
  const phase = retryable ? 'RETRYING' : 'FAILED';
  const { connection, provisioning } = await gatewayWhen(stage, id, (gateway) => gateway.provisioning.phase === phase);
  expect(provisioning.lastError).toEqual({ message, code, gatewayCode, retryable, hint });
  expect(provisioning.nextAttemptAt === null).toBe(!retryable);
  expect(connection).toMatchObject({ state: 'CONNECTED', lastError: null });
}
