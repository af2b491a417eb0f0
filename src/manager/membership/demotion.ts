import type { Logger } from 'winston';
import { type Clock, timestamp } from '../../model/clock.js';
import { messageOf, ShoalError } from '../../model/errors.js';
import type { Replicated } from '../reader.js';

export interface DemotionOptions {
  /** The one manager that is left. */
  nodeID: string;
  store: Replicated;
  clock: Clock;
  log: Logger;
  /** Aborted when the manager stops. */
  signal: AbortSignal;
}

const retry_ms = 1_000;

/**
 * After a cluster was forced anew: the managers that were lost are workers, should they ever come back. Tries until it is so, for
 * until then nobody may be taken into the group. Throws `unavailable` once the manager stops.
 */
export async function demoteOthers(options: DemotionOptions): Promise<void> {
  const { clock, log, signal } = options;
  for (;;) {
    try {
      await demoteOnce(options);
      if (!signal.aborted) return;
    } catch (error) {
      log.warn('the managers that were lost are not workers yet', { reason: messageOf(error) });
      await new Promise<void>((resolve) => {
        const done = () => {
          cancel();
          signal.removeEventListener('abort', done);
          resolve();
        };
        const cancel = clock.after(retry_ms, done);
        signal.addEventListener('abort', done);
      });
    }
    if (signal.aborted) throw new ShoalError('unavailable', 'the manager stopped before the cluster was its alone');
  }
}

async function demoteOnce({ nodeID, store, clock }: DemotionOptions): Promise<void> {
  const others = [...(await store.read()).list('Node')].filter(
    (node) => node.ID !== nodeID && (node.Spec?.Role === 'manager' || node.RaftID > 0),
  );
  if (others.length === 0) return;
  await store.propose({
    Origin: 'membership',
    Time: timestamp(clock),
    Operations: others.map((node) => ({
      Action: 'update',
      ID: node.ID,
      Node: { ...node, RaftID: 0, ManagerStatus: null, Spec: { ...node.Spec, Role: 'worker' } },
    })),
  });
}
