import { randomBytes } from 'node:crypto';
import { ShoalError } from '../model/errors.js';
import { keyBytes } from './key-ring.js';

// Docker's form (swarmkit manager/encryption HumanReadableKey): base64 without padding.
const prefix = 'SWMKEY-1-';

/** A new key for managers to be unlocked with after a restart: 256 bits by chance. */
export function newUnlockKey(): string {
  return prefix + randomBytes(keyBytes).toString('base64').replace(/=+$/, '');
}

/** The bits of a key. Throws `invalid-argument` in Docker's words; the key itself is never in the message. */
export function parseUnlockKey(text: string): Buffer {
  const [, base64] = /^SWMKEY-1-([A-Za-z0-9+/]{43})$/.exec(text) ?? [];
  if (base64 === undefined) throw new ShoalError('invalid-argument', 'invalid key string');
  return Buffer.from(base64, 'base64');
}
