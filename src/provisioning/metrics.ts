import type { ProvisioningStepName } from '../generated/prisma/client.ts';
import type { StepResult } from './steps.ts';

/** How a try to bring an agent in line ended. */
export type ProvisioningOutcome = 'succeeded' | 'retrying' | 'failed' | 'removed';

/** What this room counts. */
export interface ProvisioningMetrics {
  /** A step has ended, of one agent or of several at once. */
  stepEnded(
    name: ProvisioningStepName,
    outcome: StepResult['outcome'] | 'FAILED',
    seconds: number,
    agents: number,
  ): void;
  /** @param seconds since it began */
  provisioningEnded(outcome: ProvisioningOutcome, seconds: number): void;
}
