import { checkOneOf } from './validate/check.js';

// What Docker lacks is asked for by labels of a service: `shoal.*`. Every one of them is read here.

const stickyLabel = 'shoal.lb.sticky';
const sourceLabel = 'shoal.lb.source';
const drainLabel = 'shoal.lb.drain';

/** Whether a client keeps to one task, by its address. */
export function isSticky(labels: Readonly<Record<string, string>>): boolean {
  return labels[stickyLabel] === 'ip';
}

/** Whether a task shall see the node that a client came to instead of the client: where its answers could not find the way back. */
export function isMasqueraded(labels: Readonly<Record<string, string>>): boolean {
  return labels[sourceLabel] === 'masquerade';
}

/** Whether the balancer keeps its hands off what is said: servers of tasks that leave are not asked to end HTTP connections. */
export function isOpaque(labels: Readonly<Record<string, string>>): boolean {
  return labels[drainLabel] === 'wait';
}

/** Refuses a value that means nothing: `invalid-argument` naming the label. */
export function checkExtensions(where: string, labels: Readonly<Record<string, string>>): void {
  const sticky = labels[stickyLabel];
  if (sticky !== undefined) checkOneOf(`${where}["${stickyLabel}"]`, sticky, ['ip']);
  const source = labels[sourceLabel];
  if (source !== undefined) checkOneOf(`${where}["${sourceLabel}"]`, source, ['preserve', 'masquerade']);
  const drain = labels[drainLabel];
  if (drain !== undefined) checkOneOf(`${where}["${drainLabel}"]`, drain, ['http', 'wait']);
}
