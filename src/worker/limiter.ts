/** Lets so many jobs run at a time; the others wait their turn in order. */
export class Limiter {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private max: number) {}

  /** Whether any job runs. */
  get isBusy(): boolean {
    return this.running > 0;
  }

  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.running >= this.max) await new Promise<void>((go) => this.waiting.push(go));
    else this.running += 1;
    try {
      return await job();
    } finally {
      const next = this.running <= this.max ? this.waiting.shift() : undefined;
      if (next === undefined) this.running -= 1;
      else next(); // takes over this one's place
    }
  }

  setMax(max: number): void {
    this.max = max;
    while (this.running < this.max) {
      const next = this.waiting.shift();
      if (next === undefined) return;
      this.running += 1;
      next();
    }
  }
}
