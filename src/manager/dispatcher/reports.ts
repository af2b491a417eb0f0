import type { Logger } from 'winston';
import { type Clock, timestamp } from '../../model/clock.js';
import { messageOf, ShoalError } from '../../model/errors.js';
import type { OperationInit } from '../../model/types.js';
import type { Proposer } from '../../store/view.js';

const operationsMax = 2_000; // a transaction: well below Raft's limit of one entry, far above a moment's reports
const retry_ms = 100;

/**
 * Brings what nodes report into the store. All reports of the moment go into one transaction: while one is being committed, the
 * next gathers, and there is no timer that waits for more.
 */
export class Reports {
  private gathered: OperationInit[] = [];
  private running = false;
  private stopped = false;

  constructor(
    private readonly proposer: Proposer,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  add(operation: OperationInit): void {
    if (this.stopped) return;
    this.gathered.push(operation);
    if (!this.running) void this.run();
  }

  /** Forgets what is gathered: after a lost leader the nodes tell everything anew in their next session. */
  clear(): void {
    this.gathered = [];
  }

  stop(): void {
    this.stopped = true;
    this.clear();
  }

  private async run(): Promise<void> {
    this.running = true;
    await Promise.resolve(); // what arrives in this turn goes along
    while (this.gathered.length > 0 && !this.stopped) {
      const Operations = this.gathered.splice(0, operationsMax);
      try {
        await this.proposer.propose({ Operations, Origin: 'dispatcher', Time: timestamp(this.clock) });
      } catch (error) {
        const code = error instanceof ShoalError ? error.code : 'internal';
        this.log.warn('reports of nodes were not taken', {
          code,
          reason: messageOf(error),
          reports: Operations.length,
        });
        if (code !== 'unavailable' && code !== 'overloaded') continue; // reports are merged, so those of unknown fate may go twice
        this.gathered.unshift(...Operations);
        await new Promise<void>((resolve) => this.clock.after(retry_ms, resolve));
      }
    }
    this.running = false;
  }
}
