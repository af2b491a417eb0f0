import { cpus } from 'node:os';

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
