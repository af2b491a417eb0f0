import type { Node } from '../../model/types.js';
import type { View } from '../../store/view.js';

/** How a node stands towards the tasks that are on it. */
export type Standing =
  | 'fine' // they stay
  | 'drained' // the user wants it empty; what runs there runs on until it is stopped
  | 'down' // lost, or not known; what ran there is replaced
  | 'gone'; // no longer of the cluster

/** Nodes as one pass sees them. */
export class Nodes {
  readonly #view: View;
  readonly #standings = new Map<string, Standing>();

  constructor(view: View) {
    this.#view = view;
  }

  get(nodeID: string): Node | undefined {
    return this.#view.get('Node', nodeID);
  }

  /** A task without a node stands fine: nothing is wrong with where it is. */
  standing(nodeID: string): Standing {
    if (nodeID === '') return 'fine';
    let standing = this.#standings.get(nodeID);
    if (standing === undefined) {
      standing = standingOf(this.#view.get('Node', nodeID));
      this.#standings.set(nodeID, standing);
    }
    return standing;
  }

  /** Whether what was started there may still run and can be told to stop: false of nodes that are down or gone. */
  reachable(nodeID: string): boolean {
    const standing = this.standing(nodeID);
    return standing === 'fine' || standing === 'drained';
  }
}

function standingOf(node: Node | undefined): Standing {
  if (node === undefined) return 'gone';
  if (node.Status?.State === 'down') return 'down';
  return node.Spec?.Availability === 'drain' ? 'drained' : 'fine';
}
