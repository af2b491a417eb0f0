import type { Logger } from 'winston';
import { type Clock, timestamp } from '../../model/clock.js';
import { type ErrorCode, messageOf, ShoalError } from '../../model/errors.js';
import type { NodeInit, OperationInit, TaskStatus } from '../../model/types.js';
import type { Proposer } from '../../store/view.js';
import { GatheredReports } from './gathered-reports.js';

const transaction_bytes_max = 1024 * 1024; // thousands of reports, and little enough to be replicated within a heartbeat
const retry_ms = 100;

/** Codes after which the same transaction can succeed. Reports are merged, so one of unknown fate may go twice. */
const passing: readonly ErrorCode[] = ['unavailable', 'overloaded', 'no-leader'];

/**
 * Brings what nodes report into the store. All reports of the moment go into one transaction: while one is being committed, the
 * next gathers, and there is no timer that waits for more. What was reported is tried until it is in or `clear` is called.
 */
export class Reports {
  private readonly gathered = new GatheredReports();
  private running = false;
  private stopped = false;
  /** Why the last attempt failed: told when it changes, not at each of ten attempts a second while a disk is full. */
  private refusal: ErrorCode | undefined;
  /** Counts `clear`s: what was taken out before one is not tried again. */
  private generation = 0;

  constructor(
    private readonly proposer: Proposer,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  addTask(id: string, status: TaskStatus, size_bytes: number): void {
    if (this.stopped) return;
    this.gathered.addTask(id, status, size_bytes);
    if (!this.running) void this.run();
  }

  addNode(node: NodeInit & { ID: string }): void {
    if (this.stopped) return;
    this.gathered.addNode(node);
    if (!this.running) void this.run();
  }

  /** Forgets everything: the nodes tell it anew in their next sessions. */
  clear(): void {
    this.generation += 1;
    this.gathered.clear();
  }

  stop(): void {
    this.stopped = true;
    this.clear();
  }

  private async run(): Promise<void> {
    this.running = true;
    await new Promise(setImmediate); // what arrives in this turn of the event loop goes along
    for (;;) {
      const operations = this.gathered.take(transaction_bytes_max);
      if (operations.length === 0) break;
      await this.commit(operations);
    }
    this.running = false;
  }

  private async commit(operations: OperationInit[]): Promise<void> {
    const { generation } = this;
    while (generation === this.generation) {
      const refusal = await this.attempt(operations);
      if (refusal === undefined) return;
      if (!passing.includes(refusal)) return this.split(operations);
      await new Promise<void>((resolve) => this.clock.after(retry_ms, resolve));
    }
  }

  /** One report that cannot be taken must not cost the others. */
  private async split(operations: OperationInit[]): Promise<void> {
    if (operations.length === 1) return;
    const middle = Math.ceil(operations.length / 2);
    await this.commit(operations.slice(0, middle));
    await this.commit(operations.slice(middle));
  }

  private async attempt(Operations: OperationInit[]): Promise<ErrorCode | undefined> {
    try {
      await this.proposer.propose({ Operations, Origin: 'dispatcher', Time: timestamp(this.clock) });
      this.refusal = undefined;
      return undefined;
    } catch (error) {
      const code = error instanceof ShoalError ? error.code : 'internal';
      if (code !== this.refusal) {
        this.log.warn('reports of nodes were not taken', {
          code,
          reason: messageOf(error),
          reports: Operations.length,
        });
      }
      this.refusal = code;
      return code;
    }
  }
}
