import { readFileSync } from 'node:fs';

/** A number of things that may be open at once. */
export class Budget {
  private used = 0;

  constructor(readonly limit: number) {}

  get open(): number {
    return this.used;
  }

  /** Takes one; false when none is left. */
  take(): boolean {
    if (this.used >= this.limit) return false;
    this.used += 1;
    return true;
  }

  give(): void {
    this.used -= 1;
  }
}

/** How many connections (two descriptors each) and UDP flows (one each) fit into a process's descriptors. */
export interface Limits {
  connections: number;
  flows: number;
}

/** At the most; beyond it memory (16 KB of buffers a connection) is the limit, not descriptors. */
const connectionsMax = 32768;
const flowsMax = 8192;

/**
 * Leaves a quarter of the descriptors to everything else in the process (Raft, sessions, the engine, listeners), and of the rest a
 * tenth to UDP.
 */
export function limitsFor(descriptors: number): Limits {
  const share = Math.floor(descriptors * 0.75);
  return {
    connections: Math.max(1, Math.min(connectionsMax, Math.floor((share * 0.9) / 2))),
    flows: Math.max(1, Math.min(flowsMax, Math.floor(share * 0.1))),
  };
}

/** How many descriptors this process may open. Where the system does not say it is taken to be 1024, the least that is usual. */
export function descriptorLimit(): number {
  try {
    const line = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return line?.[1] === undefined ? 1024 : line[1] === 'unlimited' ? 2 ** 20 : Number(line[1]);
  } catch {
    return 1024;
  }
}
