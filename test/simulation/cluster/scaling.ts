import assert from 'node:assert/strict';
import { isAfter } from '../../../src/model/states.js';
import type { Service, Task } from '../../../src/model/types.js';
import type { Commit, View } from '../../../src/store/view.js';
import { slotOf } from './rollouts.js';

/** A replicated service that loses replicas loses those that are too many, and no more: none is given up to be made anew. */
export function checkScaling(view: View, { index, changes, origin }: Commit): void {
  if (origin === 'snapshot') return; // of what happened in between only the end is seen
  const before = new Map<string, Task | undefined>();
  const shrunk = new Set<string>();
  for (const change of changes) {
    if (change.kind !== 'Task' || before.has(change.id)) continue;
    const was = change.before as Task | undefined;
    before.set(change.id, was);
    if (was === undefined || !isWanted(was)) continue;
    const is = view.get('Task', change.id);
    if (is === undefined || !isWanted(is)) shrunk.add(was.ServiceID);
  }
  for (const id of shrunk) {
    const service = view.get('Service', id);
    if (service?.Spec?.Mode?.Replicated != null) checkGivenUp(view, index, service, before);
  }
}

function checkGivenUp(
  view: View,
  index: number,
  service: Service,
  before: ReadonlyMap<string, Task | undefined>,
): void {
  const now = [...view.tasksOfService(service.ID)];
  const former = now.filter(({ ID }) => !before.has(ID));
  for (const was of before.values()) if (was?.ServiceID === service.ID) former.push(was);
  const had = new Set(former.filter(isWanted).map(slotOf));
  const wasThere = new Set(former.map(({ ID }) => ID));
  const goesOn = (task: Task) => isWanted(task) && (wasThere.has(task.ID) || task.ReplacesTaskID !== '');
  const has = new Set(now.filter(goesOn).map(slotOf));
  const kept = [...had].filter((slot) => has.has(slot)).length;
  const asked = service.Spec?.Mode?.Replicated?.Replicas ?? 1;
  assert.ok(
    kept === had.size || kept >= asked,
    `entry ${index}: ${service.Spec?.Name} has ${had.size} replicas, is to have ${asked}, and keeps ${kept}`,
  );
}

function isWanted({ DesiredState }: Task): boolean {
  return !isAfter(DesiredState, 'running');
}
