import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';
import { messageOf } from '../model/errors.js';

const wait_ms = { least: 1_000, most: 15_000 };

/**
 * Tries to bring something about, one attempt at a time: when poked, again with growing pauses while it fails, and at the time that a
 * successful attempt names.
 */
export class Convergence {
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #pause_ms = wait_ms.least;
  #cancelTimer = () => {};

  /** `attempt` resolves with the milliseconds after which to look again. */
  constructor(
    private readonly clock: Clock,
    private readonly log: Logger,
    private readonly attempt: () => Promise<number>,
  ) {}

  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Something changed that may ask for an attempt. */
  poke(): void {
    if (this.#stopped) return;
    this.#again = true;
    this.#cancelTimer();
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    let next_ms = wait_ms.least;
    while (this.#again && !this.#stopped) {
      this.#again = false;
      try {
        next_ms = Math.max(await this.attempt(), wait_ms.least);
        this.#pause_ms = wait_ms.least;
      } catch (error) {
        if (!this.#stopped) this.log.warn('the node could not change yet', { reason: messageOf(error) });
        next_ms = this.#pause_ms;
        this.#pause_ms = Math.min(this.#pause_ms * 2, wait_ms.most);
      }
    }
    this.#running = undefined;
    if (!this.#stopped) this.#cancelTimer = this.clock.after(next_ms, () => this.poke());
  }

  /** No attempt begins any more; resolves when the last has ended, or after `patience_ms` when it waits for others. */
  async stop(patience_ms: number): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer();
    if (this.#running === undefined) return;
    await Promise.race([this.#running, new Promise<void>((resolve) => this.clock.after(patience_ms, resolve))]);
  }
}
