import { checkOneOf } from './validate/check.js';

// What Docker lacks is asked for by labels of a service: `shoal.*`. Every one of them is read here.

const stickyLabel = 'shoal.lb.sticky';
const sourceLabel = 'shoal.lb.source';

/** Whether a client keeps to one task, by its address. */
export function isSticky(labels: Readonly<Record<string, string>>): boolean {
  return labels[stickyLabel] === 'ip';
}

/** Whether a task shall see the node that a client came to instead of the client: where its answers could not find the way back. */
export function isMasqueraded(labels: Readonly<Record<string, string>>): boolean {
  return labels[sourceLabel] === 'masquerade';
}

/** Refuses a value that means nothing: `invalid-argument` naming the label. */
export function checkExtensions(where: string, labels: Readonly<Record<string, string>>): void {
  const sticky = labels[stickyLabel];
  if (sticky !== undefined) checkOneOf(`${where}["${stickyLabel}"]`, sticky, ['ip']);
  const source = labels[sourceLabel];
  if (source !== undefined) checkOneOf(`${where}["${sourceLabel}"]`, source, ['preserve', 'masquerade']);
}
