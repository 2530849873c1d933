import type { Fault } from '../../src/simulator/faults.ts';
import type { ErrorShape } from '../../src/simulator/wire.ts';
import type { Stage } from './stage.ts';

/** A gateway with a fault that strikes every time. */
export const faulty = (fault: Fault) => async (stage: Stage) => {
  const { url, stateDir } = await faultyUntilRepaired(fault)(stage);
  return { url, stateDir };
};

export const faultyUntilRepaired = (fault: Fault) => async (stage: Stage) => {
  const { url, stateDir, faults } = await stage.simulator();
  return { url, stateDir, repair: faults.add({ ...fault, times: Number.POSITIVE_INFINITY }) };
};

/** A gateway that answers every call of a method with this error; `connect` is the handshake. */
export const refusing = (method: string, error: ErrorShape) => faulty({ method, kind: 'refuse', error });

export const refusingUntilRepaired = (method: string, error: ErrorShape) =>
  faultyUntilRepaired({ method, kind: 'refuse', error });
