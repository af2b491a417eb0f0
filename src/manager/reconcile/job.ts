import type { ReplicatedJob } from '../../model/types.js';
import type { ServicePass } from './pass.js';
import { fillSlots, isOccupied } from './replicated.js';

/** How many times the job is to complete. */
export function completionsOf(job: ReplicatedJob | null): number {
  return job?.TotalCompletions ?? job?.MaxConcurrent ?? 1;
}

/**
 * Starts as many runs of a replicated job as may be under way at once, each in a slot of its own, until there was one for every
 * completion asked for. A run that failed is tried again in its slot, as the restart policy says.
 */
export function runJob(pass: ServicePass, job: ReplicatedJob): void {
  const completions = completionsOf(job);
  const most = job.MaxConcurrent || completions;
  let underWay = 0;
  let given = 0;
  for (const slot of pass.slots.values()) {
    if (slot.live.length > 0) underWay++;
    if (isOccupied(pass, slot)) given++;
  }
  fillSlots(pass, Math.min(most - underWay, completions - given));
}
