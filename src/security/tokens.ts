import { createHash, randomBytes, timingSafeEqual, X509Certificate } from 'node:crypto';
import { ShoalError } from '../model/errors.js';

// Docker's form (swarmkit ca/config.go GenerateJoinToken): 256 bits take 50 characters of base 36, 128 bits take 25.
const digestLength = 50;
const secretLength = 25;
const form = /^SWMTKN-1-([0-9a-z]{50})-([0-9a-z]{25})$/;

function base36(bytes: Uint8Array, length: number): string {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
    .toString(36)
    .padStart(length, '0');
}

/** Digest of a root certificate (PEM) as join tokens carry it: base 36 of SHA-256 over its DER. Throws when it is not a certificate. */
export function rootDigest(rootPEM: string): string {
  return base36(createHash('sha256').update(new X509Certificate(rootPEM).raw).digest(), digestLength);
}

/** A new join token for the cluster with this root: 128 bits of chance under the digest. */
export function newJoinToken(rootPEM: string): string {
  return `SWMTKN-1-${rootDigest(rootPEM)}-${base36(randomBytes(16), secretLength)}`;
}

export interface JoinToken {
  rootDigest: string;
  secret: string;
}

/** Takes a token apart. Throws `invalid-argument` when it has not Docker's form; the token itself is never in the message. */
export function parseJoinToken(token: string): JoinToken {
  const parts = form.exec(token);
  if (parts === null) throw new ShoalError('invalid-argument', 'invalid join token');
  return { rootDigest: parts[1]!, secret: parts[2]! };
}

/** Whether two tokens are the same, in a time that tells nothing about where they differ. */
export function sameToken(given: string, expected: string): boolean {
  if (expected === '') return false;
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
