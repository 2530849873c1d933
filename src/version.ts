import packageJson from '../package.json' with { type: 'json' };

/** The version of Mission Control that this is, for example 0.1.0. */
export const VERSION: string = packageJson.version;
