import { randomInt } from 'node:crypto';

/** Chance, handed in (a simulation gives a seeded one). */
export interface Random {
  /** An integer from 0 up to but not including `limit` (at least 1). */
  below(limit: number): number;
}

/** The operating system's randomness: good enough for identifiers and tokens. */
export const systemRandom: Random = { below: (limit) => randomInt(limit) };

/** A repeatable source: the same seed gives the same numbers (mulberry32: a 32-bit state through a multiply-xorshift). */
export function seededRandom(seed: number): Random {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return { below: (limit) => Math.floor((next() / 2 ** 32) * limit) };
}
