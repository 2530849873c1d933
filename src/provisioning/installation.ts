import type { Database } from '../db/database.ts';
import type { SecretBox } from '../db/secrets.ts';
import { type DeviceIdentity, deviceOf, newDeviceKey } from '../gateway/device.ts';

/**
 * Who this installation is to gateways, in all of its processes; made at the first start. Its key is stored encrypted.
 * @throws Error when none of the keys in SECRET_KEY opens it
 */
export async function deviceOfInstallation({ prisma }: Database, secrets: SecretBox): Promise<DeviceIdentity> {
  const known = await prisma.installation.findUnique({ where: { id: 1 } });
  if (known) return deviceOf(secrets.open(known.deviceKeySealed));
  // Of processes that start at the same time, the first one's counts.
  await prisma.installation.createMany({
    data: { deviceKeySealed: secrets.seal(newDeviceKey()) },
    skipDuplicates: true,
  });
  const stored = await prisma.installation.findUniqueOrThrow({ where: { id: 1 } });
  return deviceOf(secrets.open(stored.deviceKeySealed));
}
