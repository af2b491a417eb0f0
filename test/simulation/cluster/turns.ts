/**
 * The turns of the event loop, taken over for as long as a simulation runs: what asks for the next one gets it once no promise has
 * anything left to do, at a fraction of what real turns cost.
 */
export class Turns {
  private readonly real = globalThis.setImmediate;
  private waiting: (() => void)[] = [];

  constructor() {
    const put = (call: (...values: unknown[]) => void, ...values: unknown[]) => {
      this.waiting.push(() => call(...values));
    };
    globalThis.setImmediate = put as unknown as typeof setImmediate;
  }

  /** Lets everything run that waits for no simulated time. */
  async settled(): Promise<void> {
    for (;;) {
      await new Promise<void>((resolve) => process.nextTick(resolve));
      if (this.waiting.length === 0) return;
      for (const call of this.waiting.splice(0)) call();
    }
  }

  giveBack(): void {
    globalThis.setImmediate = this.real;
  }
}
