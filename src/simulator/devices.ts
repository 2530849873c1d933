import { randomBytes, randomUUID } from 'node:crypto';
import type { DeviceClaim } from './device-proof.ts';
import type { Gateway } from './gateway.ts';
import { checkParams, text } from './params.ts';
import { type Dict, invalid, Refusal } from './wire.ts';

interface Pairing {
  claim: DeviceClaim;
  requestId: string;
  isRepair: boolean;
  ts: number;
  askedAtMs: number;
}

interface Paired {
  claim: DeviceClaim;
  token: string;
  createdAtMs: number;
  approvedAtMs: number;
  rotatedAtMs?: number;
  revokedAtMs?: number;
}

type PairingReason = 'not-paired' | 'role-upgrade' | 'scope-upgrade';

const PAIRING: Record<PairingReason, { requirement: string; remediationHint: string }> = {
  'not-paired': {
    requirement: 'device is not approved yet',
    remediationHint: 'Approve this device from the pending pairing requests.',
  },
  'role-upgrade': {
    requirement: 'device is asking for a higher role than currently approved',
    remediationHint: 'Review the requested role upgrade, then approve the pending request.',
  },
  'scope-upgrade': {
    requirement: 'device is asking for more scopes than currently approved',
    remediationHint: 'Review the requested scopes, then approve the pending upgrade.',
  },
};

/** A request lapses this long after it was last made. */
const PENDING_MS = 5 * 60_000;

/** Devices (key pairs of clients) that asked to be let in from another host, and those an operator approved. */
export class Devices {
  readonly #gateway: Gateway;
  readonly #pending = new Map<string, Pairing>();
  readonly #paired = new Map<string, Paired>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  pending(): { requestId: string; deviceId: string; scopes: string[] }[] {
    return this.#waiting().map(({ requestId, claim: { id, scopes } }) => ({ requestId, deviceId: id, scopes }));
  }

  /**
   * The token of a device that comes with the shared token; undefined when it has none. From loopback a revoked one is replaced
   * without asking anybody. @throws Refusal when somebody has to approve it first
   */
  tokenFor(claim: DeviceClaim): string | undefined {
    const paired = this.#paired.get(claim.id);
    if (claim.remoteIp === null) {
      if (paired?.revokedAtMs) this.#renew(paired);
      return paired?.token;
    }
    if (!paired) throw this.#ask(claim, 'not-paired');
    if (paired.revokedAtMs) throw this.#ask(claim, 'role-upgrade', paired);
    if (!covers(paired.claim, claim)) throw this.#ask(claim, 'scope-upgrade', paired);
    return paired.token;
  }

  /** Whether this is the device's token: `scopes` when it is, and the device asks for more than it was approved for. */
  check(claim: DeviceClaim, token: string): boolean | 'scopes' {
    const paired = this.#paired.get(claim.id);
    if (!paired || paired.revokedAtMs || paired.token !== token) return false;
    return covers(paired.claim, claim) || 'scopes';
  }

  /** Approves a request, or the oldest that waits. */
  approve(requestId = this.#waiting()[0]?.requestId): Dict {
    const pairing = this.#take(requestId);
    const { claim } = pairing;
    const before = this.#paired.get(claim.id);
    const now = Date.now();
    const paired: Paired = { claim, token: newToken(), createdAtMs: before?.createdAtMs ?? now, approvedAtMs: now };
    if (before) paired.rotatedAtMs = now;
    this.#paired.set(claim.id, paired);
    this.#resolved(pairing, 'approved');
    return { requestId: pairing.requestId, device: shownPaired(paired) };
  }

  listMethod(params: Dict): Dict {
    checkParams('device.pair.list', params, {});
    const paired = [...this.#paired.values()].map((device) => ({
      ...shownPaired(device),
      connected: this.#gateway.isConnected(device.claim.id),
    }));
    return { pending: this.#waiting().map(shownPairing), paired };
  }

  approveMethod(params: Dict): Dict {
    checkParams('device.pair.approve', params, { required: ['requestId'] });
    return this.approve(text('device.pair.approve', params, 'requestId'));
  }

  rejectMethod(params: Dict): Dict {
    checkParams('device.pair.reject', params, { required: ['requestId'] });
    const pairing = this.#take(text('device.pair.reject', params, 'requestId'));
    this.#resolved(pairing, 'rejected');
    return { requestId: pairing.requestId, deviceId: pairing.claim.id };
  }

  removeMethod(params: Dict): Dict {
    checkParams('device.pair.remove', params, { required: ['deviceId'] });
    const deviceId = text('device.pair.remove', params, 'deviceId');
    if (!this.#paired.delete(deviceId)) throw invalid('unknown deviceId');
    this.#gateway.dismiss(deviceId);
    return { deviceId };
  }

  revokeMethod(params: Dict): Dict {
    checkParams('device.token.revoke', params, { required: ['deviceId', 'role'] });
    const deviceId = text('device.token.revoke', params, 'deviceId');
    const role = text('device.token.revoke', params, 'role');
    return { deviceId, role, revokedAtMs: this.revoke(deviceId) };
  }

  /** Makes a device's token useless; it has to be approved again. Returns when. */
  revoke(deviceId: string): number {
    const paired = this.#paired.get(deviceId);
    if (!paired) throw invalid('device token revocation denied');
    paired.revokedAtMs = Date.now();
    this.#gateway.dismiss(deviceId);
    return paired.revokedAtMs;
  }

  rotateMethod(params: Dict): Dict {
    checkParams('device.token.rotate', params, { required: ['deviceId', 'role'] });
    const deviceId = text('device.token.rotate', params, 'deviceId');
    const paired = this.#paired.get(deviceId);
    if (!paired) throw invalid('device token rotation denied');
    this.#renew(paired);
    this.#gateway.dismiss(deviceId);
    const { claim, rotatedAtMs } = paired;
    return {
      deviceId,
      role: claim.role,
      scopes: tokenScopes(claim),
      rotatedAtMs,
      tokenDelivery: 'withheld-cross-device',
    };
  }

  /** Notes that a device asks; asked again, it keeps its request id. */
  #ask(claim: DeviceClaim, reason: PairingReason, paired?: Paired): Refusal {
    const known = this.#waiting().find((pairing) => pairing.claim.id === claim.id);
    const now = Date.now();
    const isRepair = paired !== undefined;
    const pairing: Pairing = known ?? { claim, requestId: randomUUID(), isRepair, ts: now, askedAtMs: now };
    pairing.askedAtMs = now;
    if (!known) {
      this.#pending.set(pairing.requestId, pairing);
      this.#gateway.broadcast('device.pair.requested', shownPairing(pairing), 'admins');
    }
    const { requirement, remediationHint } = PAIRING[reason];
    return new Refusal({
      code: 'NOT_PAIRED',
      message: `pairing required: ${requirement}`,
      details: {
        code: 'PAIRING_REQUIRED',
        reason,
        requestId: pairing.requestId,
        remediationHint,
        deviceId: claim.id,
        requestedRole: claim.role,
        requestedScopes: claim.scopes,
        ...(paired ? { approvedRoles: [paired.claim.role], approvedScopes: paired.claim.scopes } : {}),
      },
    });
  }

  #waiting(): Pairing[] {
    const since = Date.now() - PENDING_MS;
    for (const [requestId, pairing] of this.#pending) if (pairing.askedAtMs < since) this.#pending.delete(requestId);
    return [...this.#pending.values()];
  }

  #take(requestId: string | undefined): Pairing {
    const pairing = this.#waiting().find((each) => each.requestId === requestId);
    if (!pairing) throw invalid('unknown requestId');
    this.#pending.delete(pairing.requestId);
    return pairing;
  }

  #renew(paired: Paired): void {
    paired.token = newToken();
    paired.rotatedAtMs = Date.now();
    delete paired.revokedAtMs;
  }

  #resolved(pairing: Pairing, decision: string): void {
    const payload = { requestId: pairing.requestId, deviceId: pairing.claim.id, decision, ts: Date.now() };
    this.#gateway.broadcast('device.pair.resolved', payload, 'admins');
  }
}

function newToken(): string {
  return randomBytes(32).toString('base64url');
}

function covers(approved: DeviceClaim, asked: DeviceClaim): boolean {
  return approved.scopes.includes('operator.admin') || asked.scopes.every((scope) => approved.scopes.includes(scope));
}

/** A token of an administrator names what it includes. */
function tokenScopes({ scopes }: DeviceClaim): string[] {
  return scopes.includes('operator.admin') ? ['operator.admin', 'operator.read', 'operator.write'] : scopes;
}

function shownClaim({ id, publicKey, role, scopes, platform, clientId, clientMode, remoteIp }: DeviceClaim): Dict {
  return { deviceId: id, publicKey, platform, clientId, clientMode, role, roles: [role], scopes, remoteIp };
}

function shownPairing({ claim, requestId, isRepair, ts }: Pairing): Dict {
  return { requestId, ...shownClaim(claim), silent: false, isRepair, ts };
}

function shownPaired({ claim, createdAtMs, approvedAtMs, rotatedAtMs, revokedAtMs }: Paired): Dict {
  const token = {
    role: claim.role,
    scopes: tokenScopes(claim),
    createdAtMs,
    ...(rotatedAtMs ? { rotatedAtMs } : {}),
    ...(revokedAtMs ? { revokedAtMs } : {}),
  };
  return { ...shownClaim(claim), approvedVia: 'owner', createdAtMs, approvedAtMs, tokens: [token] };
}
