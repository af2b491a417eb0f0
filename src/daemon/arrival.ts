import type { Clock } from '../model/clock.js';
import { ShoalError } from '../model/errors.js';
import type { ClusterMember } from './member.js';

/** Docker's: how long `join` waits before it says that it goes on in the background. */
export const joined_ms = 20_000;
const look_ms = 50;

/**
 * Waits until a node that joins takes part. Throws `forbidden` with the managers' own words when they will not have it, and
 * `unavailable` with Docker's, and where it must be reached, when that takes long; it goes on all the same.
 */
export async function arrived(member: ClusterMember, clock: Clock): Promise<void> {
  const end_ms = clock.monotonic() + joined_ms;
  while (!member.hasArrived) {
    if (member.rejection !== '') throw new ShoalError('forbidden', member.rejection);
    if (clock.monotonic() > end_ms) {
      throw new ShoalError(
        'unavailable',
        'Timeout was reached before node joined. The attempt to join the swarm will continue in the background. ' +
          'Use the "docker info" command to see the current swarm status of your node. ' +
          `Can managers reach it at ${member.state.advertiseAddress} (--advertise-addr)?`,
      );
    }
    await new Promise<void>((resolve) => clock.after(look_ms, resolve));
  }
  if (member.manager !== undefined) await member.manager.ready(Math.max(end_ms - clock.monotonic(), 0));
}
