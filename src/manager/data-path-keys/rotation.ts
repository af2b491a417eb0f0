import { isEncrypted } from '../../model/encrypted-networks.js';
import type { Random } from '../../model/random.js';
import type { DataPathKey } from '../../model/types.js';
import type { View } from '../../store/view.js';

/** Docker's. */
export const rotation_ms = 12 * 3_600_000;
/** Of SHA-256, with which keys are derived from it: no shorter than its output. */
const key_bytes = 32;
/** The former one, for what is still on its way; the current one; the next, so that whoever sends with it first is understood. */
const kept = 3;

/** The keys that the cluster shall have from `now` (milliseconds since 1970) on; undefined: those that it has. */
export function keysDue(view: View, now: number, random: Random): DataPathKey[] | undefined {
  const keys = view.cluster()?.DataPathKeys ?? [];
  if (!hasEncrypted(view)) return keys.length > 0 ? [] : undefined;
  const newest = keys.at(-1);
  if (newest === undefined) return [newKey(1, now, random), newKey(2, now, random)];
  if (now < dueAt(newest, now)) return undefined;
  return [...keys.slice(1 - kept), newKey(newest.Generation + 1, now, random)];
}

/** When they are to be looked at again though nothing changes; undefined: not before something does. */
export function rotationAt(view: View, now: number): number | undefined {
  const newest = view.cluster()?.DataPathKeys.at(-1);
  return newest && dueAt(newest, now);
}

/** A key from far in the future is of a clock that was wrong. */
function dueAt({ CreatedAt }: DataPathKey, now: number): number {
  const created = Date.parse(CreatedAt);
  return Math.abs(created - now) < rotation_ms ? created + rotation_ms : now;
}

function hasEncrypted(view: View): boolean {
  for (const network of view.list('Network')) if (isEncrypted(network)) return true;
  return false;
}

function newKey(Generation: number, now: number, random: Random): DataPathKey {
  const Key = Buffer.from(Array.from({ length: key_bytes }, () => random.below(256)));
  return { Generation, Key, CreatedAt: new Date(now).toISOString() };
}
