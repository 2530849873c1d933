import { z } from 'zod';
import { plaintextProblem } from '../gateway/url.ts';
import { line } from './validation.ts';

// What can be said about a gateway when it is added or changed.

export const gatewayUrl = z
  .string()
  .trim()
  .max(500, 'must have at most 500 characters')
  .superRefine((text, context) => {
    const problem = urlProblem(text);
    if (problem) context.addIssue({ code: 'custom', message: problem });
  });

function urlProblem(text: string): string | null {
  // URL.parse leaves out or encodes what the rest of the world takes as it is.
  if (/[\p{Cc}\s]/u.test(text)) return 'must not have spaces or control characters';
  if (!text.isWellFormed()) return 'must be valid Unicode';
  const url = URL.parse(text);
  if (!url || !/^wss?:\/\//.test(text)) return 'must be a ws:// or wss:// URL';
  if (url.username || url.password) return 'must not contain credentials; give the token in input.token';
  if (url.hash) return 'must not have a fragment (#…)';
  return plaintextProblem(text);
}

export const gatewayToken = z
  .string()
  .min(1, 'must not be empty; leave it out for a gateway without one')
  .max(4_000, 'must have at most 4000 characters');

export const workspaceRoot = line(500)
  .refine((path) => /^(\/|~|[A-Za-z]:[\\/])/.test(path), 'must be an absolute path on the gateway, or begin with ~')
  .refine((path) => !path.includes('${'), 'must not have ${, for which OpenClaw would put variables of its environment')
  .refine((path) => !path.split(/[\\/]/).includes('..'), 'must say where it is without going up (..)');

export const tlsFingerprint = z
  .string()
  .trim()
  .regex(/^(sha256:)?([0-9a-f]{2}:?){31}[0-9a-f]{2}$/i, 'must be a SHA-256 fingerprint: 64 hex digits, colons allowed');

/** The sentence for a fingerprint beside a URL that has no certificate. */
export const FINGERPRINT_NEEDS_TLS = 'needs a wss:// URL: without TLS there is no certificate to compare it with';

export function refuseFingerprintWithoutTls(
  { url, tlsFingerprint }: { url: string; tlsFingerprint?: string | null | undefined },
  context: z.RefinementCtx,
): void {
  if (tlsFingerprint == null || !url.startsWith('ws:')) return;
  context.addIssue({ code: 'custom', path: ['tlsFingerprint'], message: FINGERPRINT_NEEDS_TLS });
}
