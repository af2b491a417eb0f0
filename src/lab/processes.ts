import { readFileSync } from 'node:fs';

/** A process that we started: its id, and when the kernel says it began, so that a reused id is never taken for it. */
export interface ProcessMark {
  pid: number;
  startTicks: string;
}

/** Clock ticks since boot at which the process began (proc(5), stat field 22); undefined when it is gone or a zombie. */
function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before may hold spaces
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export function markOf(pid: number): ProcessMark | undefined {
  const startTicks = startTicksOf(pid);
  return startTicks === undefined ? undefined : { pid, startTicks };
}

export function isRunning(mark: ProcessMark | undefined): mark is ProcessMark {
  return mark !== undefined && startTicksOf(mark.pid) === mark.startTicks;
}

/** Signals the process if it is still the one that was marked. */
export function signal(mark: ProcessMark | undefined, name: NodeJS.Signals): void {
  if (!isRunning(mark)) return;
  try {
    process.kill(mark.pid, name);
  } catch {
    // it ended between the look and the signal
  }
}

export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
