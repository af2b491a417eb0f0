import type { DelaySummary } from '../model/network-verdict.js';

/** So many of the last are remembered. */
const kept = 256;

/** How long the last changes took to be in force, each from when the node heard of it. */
export class Delays {
  private readonly last_ms: number[] = [];

  add(delay_ms: number): void {
    this.last_ms.push(delay_ms);
    if (this.last_ms.length > kept) this.last_ms.shift();
  }

  /** All 0 when there were none. */
  get summary(): DelaySummary {
    const sorted = [...this.last_ms].sort((a, b) => a - b);
    return {
      count: sorted.length,
      median_ms: sorted[Math.floor(sorted.length / 2)] ?? 0,
      max_ms: sorted.at(-1) ?? 0,
    };
  }
}
