import type { World } from '../world.js';

/** The network between hosts: what gets through, and how long it takes. Trouble with it is remembered by host. */
export class Links {
  /** `from>to` that is cut. */
  private readonly cuts = new Set<string>();
  private readonly off = new Set<string>();
  private readonly stalled = new Set<() => void>();
  private readonly troubled = new Map<string, number>();
  maxDelay_ms = 3;
  /** Hosts whose messages take so much longer. */
  readonly slow = new Map<string, number>();

  constructor(private readonly world: World) {}

  passes(from: string, to: string): boolean {
    return from === to || !(this.cuts.has(`${from}>${to}`) || this.off.has(from) || this.off.has(to));
  }

  cut(from: string, to: string): void {
    this.cuts.add(`${from}>${to}`);
    this.trouble(from);
    this.trouble(to);
  }

  heal(): void {
    for (const link of this.cuts) for (const host of link.split('>')) this.trouble(host);
    this.cuts.clear();
    this.retry();
  }

  /** The host's power is off, or on again. */
  setPower(host: string, isOn: boolean): void {
    this.trouble(host);
    if (isOn) this.off.delete(host);
    else this.off.add(host);
    if (isOn) this.retry();
  }

  isOn(host: string): boolean {
    return !this.off.has(host);
  }

  delay_ms(from: string, to: string): number {
    if (from === to) return 0.1;
    const slow_ms = (this.slow.get(from) ?? 0) + (this.slow.get(to) ?? 0);
    return this.world.between(1, this.maxDelay_ms * 10) / 10 + (slow_ms === 0 ? 0 : this.world.random.below(slow_ms));
  }

  /** Calls back once something that was cut may get through again. */
  onHeal(call: () => void): void {
    this.stalled.add(call);
  }

  /** Something went wrong that others at the other end of a connection may only find out later. */
  trouble(host: string): void {
    this.troubled.set(host, this.world.now_ms);
  }

  /** Milliseconds since the host last had trouble; while something is cut or slow it has. */
  calm_ms(host: string): number {
    const isTroubled =
      this.off.has(host) || this.slow.has(host) || [...this.cuts].some((link) => link.split('>').includes(host));
    return isTroubled ? 0 : this.world.now_ms - (this.troubled.get(host) ?? Number.NEGATIVE_INFINITY);
  }

  private retry(): void {
    const waiting = [...this.stalled];
    this.stalled.clear();
    for (const call of waiting) call();
  }
}
