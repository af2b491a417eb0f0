import { createHash } from 'node:crypto';

/** Everything that happens in a run, as one hash: two runs of a seed that differ anywhere differ here. */
export class Trace {
  private readonly hash = createHash('sha256');
  private readonly isShown = process.env.SIMULATION_TRACE !== undefined;

  constructor(private readonly now_ms: () => number) {}

  add(what: string): void {
    const line = `${this.now_ms().toFixed(3)} ${what}`;
    this.hash.update(line);
    if (this.isShown) console.log(line);
  }

  digest(): string {
    return this.hash.copy().digest('hex').slice(0, 16);
  }
}
