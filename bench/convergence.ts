import { cpus } from 'node:os';

export const image = 'shoal/web:1';
export const command = ['sh', '-c', "trap 'exit 0' TERM; sleep 100000 & wait"]; // ends at once when told to, so a stop measures us
export const verbs = ['create', 'scale', 'replace', 'remove'] as const;
export type Times = Record<(typeof verbs)[number], number>;

/** A service of these containers, all of them replaced at once when `force` changes. */
export function serviceSpec(name: string, replicas: number, force: number, from = image): object {
  return {
    Name: name,
    TaskTemplate: { ContainerSpec: { Image: from, Command: command }, ForceUpdate: force },
    Mode: { Replicated: { Replicas: replicas } },
    UpdateConfig: { Parallelism: 0, Order: 'stop-first' },
  };
}

export interface ListedTask {
  NodeID?: string;
  Status: { State: string; Err?: string };
  Spec: { ForceUpdate?: number };
}

export interface Running {
  count: number;
  force?: number;
  /** Id of a node that is gone. */
  without?: string;
}

/** Where the tasks of the service `bench` are listed that shall run. */
export const tasksPath = `/tasks?filters=${encodeURIComponent('{"service":{"bench":true},"desired-state":{"running":true}}')}`;

/** What is missing until exactly so many tasks of this generation run, those of a node that is gone not counted; undefined: nothing. */
export function missing(tasks: readonly ListedTask[], { count, force = 0, without }: Running): string | undefined {
  const ready = tasks.filter(
    ({ Status, Spec, NodeID }) =>
      Status.State === 'running' && (Spec.ForceUpdate ?? 0) === force && (without === undefined || NodeID !== without),
  );
  if (ready.length === count) return undefined;
  return `${ready.length} of ${count} run: ${tasks.find(({ Status }) => Status.Err)?.Status.Err ?? ''}`;
}

/** Both sides so often, each first in every other round: engines get slower with every container they had. */
export async function inTurn<T>(rounds: number, one: () => Promise<T>, other: () => Promise<T>): Promise<[T[], T[]]> {
  const results: [T[], T[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const sides = [async () => results[0].push(await one()), async () => results[1].push(await other())];
    if (round % 2 === 1) sides.reverse();
    for (const measure of sides) await measure();
  }
  return results;
}

/** How long the work takes, in ms, begun when nothing is left to do of what was before: the kernel takes long to remove a network namespace. */
export async function timed(work: () => Promise<void>, idle_ms_max = 15_000): Promise<number> {
  await idle(idle_ms_max);
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** On a machine with other work it goes on after a while: both sides suffer alike. */
async function idle(idle_ms_max: number): Promise<void> {
  const until = performance.now() + idle_ms_max;
  for (let isBusy = true; isBusy && performance.now() < until; ) {
    const before = processorTime();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const after = processorTime();
    isBusy = after.idle - before.idle < 0.85 * (after.all - before.all);
  }
}

/** Of all processors together since the start, in ms. */
function processorTime(): { idle: number; all: number } {
  let idle = 0;
  let all = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return { idle, all };
}

/** Waits until a look shows nothing wrong, which is soon. The looks' pauses grow, so that looking costs little of what is measured. */
export async function settled(look: () => Promise<string | undefined>): Promise<void> {
  const began = performance.now();
  for (;;) {
    const wrong = await look();
    if (wrong === undefined) return;
    const waited_ms = performance.now() - began;
    if (waited_ms > 120_000) throw new Error(`still after ${Math.round(waited_ms)} ms: ${wrong}`);
    await new Promise((resolve) => setTimeout(resolve, Math.max(5, waited_ms / 50)));
  }
}
