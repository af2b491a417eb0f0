import { dissolveSlot } from './history.js';
import type { ServicePass } from './pass.js';
import { isOccupied } from './replicated.js';

/** Gives every node that qualifies its task, and takes away what is left of nodes that are gone. */
export function fillNodes(pass: ServicePass): void {
  const qualify = new Set<string>();
  for (const node of pass.pass.view.list('Node')) {
    const open = node.Status?.State === 'ready' && (node.Spec?.Availability || 'active') === 'active';
    if (open && pass.suits(node)) qualify.add(node.ID);
  }
  forgetWaiting(pass, qualify);
  leaveUnsuited(pass);
  for (const nodeID of qualify) {
    if (!pass.draft.hasRoom()) break;
    const slot = pass.slots.get(nodeID);
    if (slot === undefined || !isOccupied(pass, slot)) pass.bear(pass.slot(nodeID, 0, nodeID));
  }
  for (const slot of [...pass.slots.values()]) {
    if (pass.pass.nodes.standing(slot.nodeID) === 'gone' && slot.live.length === 0) dissolveSlot(pass, slot);
  }
}

/** Where new constraints do not allow the service nothing replaces its tasks, so there is no turn in an update to wait for. */
function leaveUnsuited(pass: ServicePass): void {
  for (const slot of pass.slots.values()) {
    const node = pass.pass.nodes.get(slot.nodeID);
    if (node === undefined || pass.suits(node)) continue;
    for (const task of [...slot.live]) if (!pass.isBorn(task)) pass.stop(slot, task);
  }
}

/**
 * A task that waits for room on its node goes when the node no longer qualifies, and is made anew when the spec has changed: it serves
 * nobody, so that needs no turn in an update, which would wait for it.
 */
function forgetWaiting(pass: ServicePass, qualify: ReadonlySet<string>): void {
  for (const slot of pass.slots.values()) {
    for (const task of [...slot.live]) {
      const waits = task.NodeID === '' && !pass.isBorn(task);
      if (!waits || (qualify.has(slot.nodeID) && pass.freshness.isFresh(task))) continue;
      slot.live.splice(slot.live.indexOf(task), 1);
      pass.draft.remove(task);
    }
  }
}
