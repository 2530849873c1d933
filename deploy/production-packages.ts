import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface InstalledPackage {
  /** For example node_modules/pg. */
  path: string;
  name: string;
  version: string;
  /** An SPDX expression, as the package says; null when it says nothing. */
  license: string | null;
}

interface LockedPackage {
  version: string;
  license?: string;
  dev?: boolean;
  optional?: boolean;
  devOptional?: boolean;
}

/** What `npm ci --omit=dev --omit=optional` installs, by package-lock.json. */
export function productionPackages(): InstalledPackage[] {
  const file = fileURLToPath(new URL('../package-lock.json', import.meta.url));
  const { packages } = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, LockedPackage> };
  return Object.entries(packages)
    .filter(([path, { dev, optional, devOptional }]) => path !== '' && !dev && !optional && !devOptional)
    .map(([path, { version, license = null }]) => ({
      path,
      name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version,
      license,
    }));
}
