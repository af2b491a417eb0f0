import type { Logger } from 'winston';
import { type Clock, timestamp } from '../../model/clock.js';
import { messageOf } from '../../model/errors.js';
import type { Proposer, View } from '../../store/view.js';
import { afterRotation } from './rotation.js';
import { founded, issuerKeyOf } from './trust.js';

export interface RotationParts {
  view: () => View;
  leads: () => boolean;
  proposer: Proposer;
  clock: Clock;
  log: Logger;
}

const lookAgain_ms = 1_000;

/** Whether every node, also those that are away, says that its certificate is from the root that signs now. */
export function hasConverged(view: View): boolean {
  const key = issuerKeyOf(founded(view.cluster()).RootCA);
  return [...view.list('Node')].every(({ Description }) => Description?.TLSInfo?.CertIssuerPublicKey === key);
}

/** Ends a rotation of the root when every node has moved over, while this manager leads. Remembers nothing between its looks. */
export class RotationKeeper {
  #working = false;
  #stopped = false;
  #cancelTimer = () => {};

  constructor(private readonly parts: RotationParts) {}

  /** Something changed that may end the rotation. */
  wake(): void {
    const { view, leads } = this.parts;
    if (this.#stopped || this.#working || !leads() || !view().cluster()?.RootCA?.Rotation || !hasConverged(view()))
      return;
    this.#working = true;
    void this.#finish();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer();
  }

  async #finish(): Promise<void> {
    const { view, proposer, clock, log } = this.parts;
    const cluster = founded(view().cluster());
    try {
      await proposer.propose({
        Origin: 'ca',
        Time: timestamp(clock),
        Operations: [
          {
            Action: 'update',
            ID: cluster.ID,
            ExpectedVersion: cluster.Version?.Index ?? 0,
            Cluster: afterRotation(cluster, cluster.RootCA.Rotation!),
          },
        ],
      });
      log.info('every node has moved to the new root: the old one is trusted no more');
      this.#working = false;
    } catch (error) {
      if (this.#stopped) return;
      log.warn('the rotation of the root could not be ended yet', { reason: messageOf(error) });
      this.#cancelTimer = clock.after(lookAgain_ms, () => {
        this.#working = false;
        this.wake();
      });
    }
  }
}
