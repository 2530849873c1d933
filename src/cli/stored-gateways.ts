import { createSecretBox, type SecretKeys } from '../db/secrets.ts';
import type { DatabaseSession } from '../db/session.ts';
import type { GatewayTarget } from '../gateway/connection.ts';
import { type DeviceIdentity, deviceOf } from '../gateway/device.ts';

/** A gateway of the database, as the server connects to it. */
export interface StoredGateway {
  name: string;
  target: GatewayTarget;
}

/** Who this installation is to gateways; null before the server's first start. @throws Error when the key does not open it */
export async function readDevice(session: DatabaseSession, keys: SecretKeys): Promise<DeviceIdentity | null> {
  const { rows } = await session.query<{ sealed: string }>('SELECT "deviceKeySealed" AS sealed FROM "Installation"');
  return rows[0] ? deviceOf(createSecretBox(keys).open(rows[0].sealed)) : null;
}

interface GatewayRow {
  id: string;
  name: string;
  url: string;
  tokenSealed: string | null;
  deviceTokenSealed: string | null;
  tlsFingerprint: string | null;
  allowInsecureTls: boolean;
}

/** The gateways of all organizations, oldest first. @throws Error when a key is missing */
export async function readGateways(session: DatabaseSession, keys: SecretKeys): Promise<StoredGateway[]> {
  const box = createSecretBox(keys);
  const open = (sealed: string | null) => (sealed === null ? null : box.open(sealed));
  const device = await readDevice(session, keys);
  const { rows } = await session.query<GatewayRow>(
    `SELECT id, name, url, "tokenSealed", "deviceTokenSealed", "tlsFingerprint", "allowInsecureTls" FROM "Gateway"
     WHERE "deletionRequestedAt" IS NULL ORDER BY id`,
  );
  return rows.map(({ id, name, url, tlsFingerprint, allowInsecureTls, ...sealed }) => {
    const secrets = { token: open(sealed.tokenSealed), deviceToken: open(sealed.deviceTokenSealed) };
    return { name, target: { id, url, tlsFingerprint, allowInsecureTls, device, ...secrets } };
  });
}
