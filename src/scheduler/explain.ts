import type { Filter } from './filters.js';
import type { Candidate } from './fleet.js';

/** Why no node can take a task, counted by reason, the most frequent first: what Docker writes into the task's error. */
export function explain(
  candidates: readonly Candidate[],
  filters: readonly Filter[],
  runningOn: (candidate: Candidate) => number,
): string {
  const reasons = reasonsOf(candidates, filters, runningOn);
  return reasons === '' ? 'no suitable node' : `no suitable node (${reasons})`;
}

/** The same for the one node that a task is for: Docker gives the bare reason then. */
export function explainOnly(only: Candidate, filters: readonly Filter[], running: number): string {
  return reasonsOf([only], filters, () => running) || 'no suitable node';
}

function reasonsOf(
  candidates: readonly Candidate[],
  filters: readonly Filter[],
  runningOn: (candidate: Candidate) => number,
): string {
  const failures = filters.map((filter) => ({ filter, nodes: 0 }));
  for (const candidate of candidates) {
    const running = runningOn(candidate);
    const failure = failures.find(({ filter }) => !filter.passes(candidate, running));
    if (failure !== undefined) failure.nodes++;
  }
  return failures
    .filter(({ nodes }) => nodes > 0)
    .sort((a, b) => b.nodes - a.nodes)
    .map(({ filter, nodes }) => filter.reason(nodes))
    .join('; ');
}
