import { type Dict, invalid } from './wire.ts';

export interface ParamsShape {
  required?: string[];
  optional?: string[];
}

/**
 * Refuses parameters in the words of the gateway's validator:
 * `invalid wake params: must have required property 'text'; at root: unexpected property 'x'`.
 */
export function checkParams(method: string, params: Dict, shape: ParamsShape): void {
  const required = shape.required ?? [];
  const known = new Set([...required, ...(shape.optional ?? [])]);
  const problems = required
    .filter((name) => params[name] === undefined)
    .map((name) => `must have required property '${name}'`);
  for (const name of Object.keys(params)) {
    if (!known.has(name)) problems.push(`at root: unexpected property '${name}'`);
  }
  if (problems.length > 0) throw invalid(`invalid ${method} params: ${problems.join('; ')}`);
}

/** A parameter that must be a text. @throws Refusal when it is none */
export function text(method: string, params: Dict, name: string): string {
  const value = params[name];
  if (typeof value === 'string') return value;
  throw invalid(`invalid ${method} params: at /${name}: must be string`);
}

/** A parameter that may be a text. Anything else counts as absent. */
export function optionalText(params: Dict, name: string): string | undefined {
  const value = params[name];
  return typeof value === 'string' ? value : undefined;
}

/** A parameter that may be a number. Anything else counts as absent. */
export function optionalNumber(params: Dict, name: string): number | undefined {
  const value = params[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
