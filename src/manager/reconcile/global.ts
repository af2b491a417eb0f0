import { nodeMatcher } from '../../scheduler/filters.js';
import { dissolveSlot } from './history.js';
import type { ServicePass } from './pass.js';
import { isOccupied } from './replicated.js';

/** Gives every node that qualifies its task, and takes away what is left of nodes that are gone. */
export function fillNodes(pass: ServicePass): void {
  const matches = nodeMatcher(pass.template.Placement?.Constraints ?? []);
  for (const node of pass.pass.view.list('Node')) {
    const open = node.Status?.State === 'ready' && (node.Spec?.Availability || 'active') === 'active';
    if (!open || !matches(node) || !pass.draft.hasRoom()) continue;
    const slot = pass.slots.get(node.ID);
    if (slot === undefined || !isOccupied(pass, slot)) pass.bear(pass.slot(node.ID, 0, node.ID));
  }
  for (const slot of [...pass.slots.values()]) {
    if (pass.pass.nodes.standing(slot.nodeID) === 'gone' && slot.live.length === 0) dissolveSlot(pass, slot);
  }
}
