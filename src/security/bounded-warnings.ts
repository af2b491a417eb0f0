import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';

const perWindow = 20;
const window_ms = 10_000;

/** Logs what comes from outside, a bounded number of lines a window: a flood must not fill the disk. */
export class BoundedWarnings {
  #since_ms = 0;
  #count = 0;

  constructor(
    private readonly log: Logger,
    private readonly clock: Clock,
  ) {}

  warn(message: string, details: object): void {
    const now_ms = this.clock.monotonic();
    if (now_ms - this.#since_ms > window_ms) {
      const hidden = this.#count - perWindow;
      if (hidden > 0) this.log.warn('further warnings were left out', { count: hidden });
      this.#since_ms = now_ms;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#count <= perWindow) this.log.warn(message, details);
  }
}
