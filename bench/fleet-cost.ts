import { readFileSync } from 'node:fs';
import { cpuSeconds } from './raft-groups.js';

interface Process {
  pid?: number | undefined;
}

/** Processes of the fleet by what they are. */
export interface Parts {
  leader: readonly Process[];
  followers: readonly Process[];
  nodes: readonly Process[];
}

/** Processor seconds that each part took in a time of `seconds`. */
export interface Cost {
  seconds: number;
  leader: number;
  followers: number;
  nodes: number;
}

/** Measures while `work` is done. Who leads is asked for at its start: a part is what it was then. */
export async function costOf(parts: Parts, work: () => Promise<void>): Promise<Cost> {
  const now = () => ({
    leader: cpuSeconds({ processes: parts.leader }),
    followers: cpuSeconds({ processes: parts.followers }),
    nodes: cpuSeconds({ processes: parts.nodes }),
  });
  const before = now();
  const began_ms = performance.now();
  await work();
  const seconds = (performance.now() - began_ms) / 1000;
  const after = now();
  return {
    seconds,
    leader: after.leader - before.leader,
    followers: after.followers - before.followers,
    nodes: after.nodes - before.nodes,
  };
}

/** As a row: seconds, processor seconds of each part, and of all together for each of `count` things in microseconds. */
export function costRow(what: string, cost: Cost, count?: number): string[] {
  const all = cost.leader + cost.followers + cost.nodes;
  const each = count === undefined ? '' : ((1e6 * all) / count).toFixed(0);
  const managers = count === undefined ? '' : ((1e6 * (cost.leader + cost.followers)) / count).toFixed(0);
  return [
    what,
    ...[cost.seconds, cost.leader, cost.followers, cost.nodes].map((one) => one.toFixed(1)),
    managers,
    each,
  ];
}

/** Resident memory in MB; in brackets the most it has been. */
export function memoryOf(pid: number): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (field: string) => Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024);
  return `${of('VmRSS')} (${of('VmHWM')})`;
}
