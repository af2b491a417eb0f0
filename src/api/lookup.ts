import { ShoalError } from '../model/errors.js';
import type { Tables, View } from '../store/view.js';

type Named = Exclude<keyof Tables, 'Cluster'>;

/**
 * The object a user means, as Docker looks it up: by whole id, else by name (a node's: its host name), else by the
 * beginning of its id. Throws `not-found`, or `invalid-argument` when several begin so.
 */
export function find<K extends Named>(view: View, kind: K, reference: string): Tables[K] {
  const exact = view.get(kind, reference);
  if (exact !== undefined) return exact;
  const word = kind.toLowerCase();
  let matches = byName(view, kind, reference);
  if (matches.length === 0) {
    matches = [...view.list(kind)].filter((one) => one.ID.startsWith(reference));
  }
  const [first] = matches;
  if (first === undefined) throw new ShoalError('not-found', `${word} ${reference} not found`);
  if (matches.length > 1) {
    throw new ShoalError('invalid-argument', `${word} ${reference} is ambiguous (${matches.length} matches found)`);
  }
  return first;
}

function byName<K extends Named>(view: View, kind: K, name: string): Tables[K][] {
  if (kind === 'Task') return [];
  if (kind === 'Node') {
    const nodes = [...view.list('Node')];
    return nodes.filter((node) => node.Description?.Hostname === name || node.Spec?.Name === name) as Tables[K][];
  }
  const found = view.byName(kind as Exclude<Named, 'Task'>, name);
  return found === undefined ? [] : [found as Tables[K]];
}
