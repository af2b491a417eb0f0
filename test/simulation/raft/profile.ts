import type { World } from '../world.js';

/** How a run is, as a whole; runs that are bad at everything get nowhere. */
export interface Profile {
  /** The longest time without something new going wrong. */
  calm_ms: number;
  /** How often members come and go, compared with other trouble. */
  churn: number;
  /** Messages in 1000 that come much too late. */
  stragglerRate: number;
  /** The largest append, in bytes: a small one splits what belongs together. */
  maxAppendBytes: number;
  /** A snapshot may take many messages, or one. */
  snapshotChunkBytes: number;
  /** The largest text that is written. */
  textBytes: number;
  /** In 100: leaders that die just after they were elected, when little is decided and much is under way. */
  stillbirths: number;
  /** The longest that a process stays down. */
  downtime_ms: number;
  /** Members time out together, so that there are often several candidates; those who vote for one of them may die of it. */
  duels: boolean;
}

export function drawProfile(world: World): Profile {
  const textBytes = world.pick([0, 0, 2000, 8000]) as number;
  // Many messages, and yet not so many that they alone take longer than a recovery may.
  const snapshotChunkBytes = world.oneIn(3) ? 1024 * 1024 : textBytes === 0 ? 100 : 4000;
  return {
    calm_ms: world.pick([300, 1000, 3000]) as number,
    churn: world.pick([1, 1, 6]) as number,
    stragglerRate: world.pick([0, 0, 20, 100]) as number,
    maxAppendBytes: world.pick([1, 100, 1024 * 1024]) as number,
    snapshotChunkBytes,
    textBytes,
    stillbirths: world.pick([0, 0, 50, 90]) as number,
    downtime_ms: world.pick([20, 1000, 3000]) as number,
    duels: world.oneIn(4),
  };
}
