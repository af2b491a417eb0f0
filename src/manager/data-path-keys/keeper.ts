import type { Logger } from 'winston';
import { type Clock, timestamp } from '../../model/clock.js';
import { messageOf } from '../../model/errors.js';
import type { Random } from '../../model/random.js';
import type { Proposer, View } from '../../store/view.js';
import { keysDue, rotationAt } from './rotation.js';

export interface DataPathKeyParts {
  view: () => View;
  leads: () => boolean;
  proposer: Proposer;
  /** Of the cluster. */
  clock: Clock;
  random: Random;
  log: Logger;
}

const lookAgain_ms = 1_000;

/**
 * Sees to it, while this manager leads, that the cluster has keys for its encrypted networks, and new ones in time. Remembers nothing between
 * its looks.
 */
export class DataPathKeyKeeper {
  #working = false;
  #stopped = false;
  #cancelTimer = () => {};

  constructor(private readonly parts: DataPathKeyParts) {}

  /** Something changed: who leads, the cluster, a network. */
  wake(): void {
    const { view, leads, clock, random } = this.parts;
    if (this.#stopped || this.#working) return;
    this.#cancelTimer();
    if (!leads()) return;
    const state = view();
    const cluster = state.cluster();
    const DataPathKeys = keysDue(state, clock.now(), random);
    if (cluster !== undefined && DataPathKeys !== undefined) {
      this.#working = true;
      void this.#write({ ...cluster, DataPathKeys });
      return;
    }
    const at = rotationAt(state, clock.now());
    if (at !== undefined) this.#cancelTimer = clock.after(at - clock.now(), () => this.wake());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer();
  }

  async #write(cluster: NonNullable<ReturnType<View['cluster']>>): Promise<void> {
    const { proposer, clock, log } = this.parts;
    try {
      await proposer.propose({
        Origin: 'networks',
        Time: timestamp(clock),
        Operations: [
          { Action: 'update', ID: cluster.ID, ExpectedVersion: cluster.Version?.Index ?? 0, Cluster: cluster },
        ],
      });
      const generations = cluster.DataPathKeys.map(({ Generation }) => Generation);
      log.info('the keys of encrypted networks are others now', { generations });
      this.#working = false;
      this.wake();
    } catch (error) {
      if (this.#stopped) return;
      log.warn('the keys of encrypted networks could not be changed yet', { reason: messageOf(error) });
      this.#cancelTimer = clock.after(lookAgain_ms, () => {
        this.#working = false;
        this.wake();
      });
    }
  }
}
