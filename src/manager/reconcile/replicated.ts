import { dissolveSlot } from './history.js';
import type { ServicePass } from './pass.js';
import { shouldRestart } from './restart.js';
import { isRunning, type Slot } from './slots.js';

/** Whether the slot counts as a replica: it has a task, or had one that is not to be run again. */
export function isOccupied(pass: ServicePass, slot: Slot): boolean {
  if (slot.live.length > 0) return true;
  const newest = slot.newest;
  return newest !== undefined && !shouldRestart(pass, slot, newest);
}

/** Takes replicas away that are too many, and slots that nothing fills any more and none will. */
export function scaleDown(pass: ServicePass, replicas: number): void {
  const occupied = [...pass.slots.values()].filter((slot) => isOccupied(pass, slot));
  for (const slot of leastMissed(occupied, occupied.length - replicas)) {
    if (!pass.draft.hasRoom()) return;
    dissolveSlot(pass, slot);
  }
}

/** Fills free slots until there are as many replicas as asked for, and clears away what is left of other slots. */
export function scaleUp(pass: ServicePass, replicas: number): void {
  const occupied = fillSlots(pass, replicas - occupiedNumbers(pass).size);
  if (occupied.size < replicas) return; // no room in this plan
  for (const slot of [...pass.slots.values()]) {
    if (!occupied.has(slot.number) && pass.draft.hasRoom()) dissolveSlot(pass, slot);
  }
}

/** Makes tasks for the `count` lowest free numbers, of replicas from 1 on and of a job's runs from 0 on. Returns the numbers that are taken then. */
export function fillSlots(pass: ServicePass, count: number): Set<number> {
  const occupied = occupiedNumbers(pass);
  let missing = count;
  for (let number = pass.iteration === undefined ? 1 : 0; missing > 0 && pass.draft.hasRoom(); number++) {
    if (occupied.has(number)) continue;
    occupied.add(number);
    pass.bear(pass.slot(String(number), number, ''));
    missing--;
  }
  return occupied;
}

function occupiedNumbers(pass: ServicePass): Set<number> {
  const occupied = new Set<number>();
  for (const slot of pass.slots.values()) if (isOccupied(pass, slot)) occupied.add(slot.number);
  return occupied;
}

/**
 * The `count` slots to give up, as Docker chooses them: first those whose task does not run; among them, and then among those
 * that run, always from the node with most tasks of the service; on one node the newest slot first.
 */
function leastMissed(slots: readonly Slot[], count: number): Slot[] {
  const chosen: Slot[] = [];
  if (count <= 0) return chosen;
  const nodeOf = (slot: Slot) => slot.live.find(isRunning)?.NodeID ?? slot.live.at(-1)?.NodeID ?? '';
  const load = new Map<string, number>();
  for (const slot of slots) load.set(nodeOf(slot), (load.get(nodeOf(slot)) ?? 0) + 1);
  for (const running of [false, true]) {
    const byNode = new Map<string, Slot[]>();
    const group = slots.filter((slot) => slot.live.some(isRunning) === running).sort((a, b) => a.number - b.number);
    for (const slot of group) {
      const here = byNode.get(nodeOf(slot));
      if (here === undefined) byNode.set(nodeOf(slot), [slot]);
      else here.push(slot);
    }
    while (chosen.length < count && byNode.size > 0) {
      let fullest = '';
      for (const [nodeID, here] of byNode) {
        const best = byNode.get(fullest);
        const ahead = (load.get(nodeID) ?? 0) - (load.get(fullest) ?? 0);
        if (best === undefined || ahead > 0 || (ahead === 0 && here.at(-1)!.number > best.at(-1)!.number))
          fullest = nodeID;
      }
      const here = byNode.get(fullest)!;
      chosen.push(here.pop()!);
      load.set(fullest, load.get(fullest)! - 1);
      if (here.length === 0) byNode.delete(fullest);
    }
  }
  return chosen;
}
