import type { Node } from '../../model/types.js';
import type { View } from '../../store/view.js';

/** Node.Status.Message of a node that no manager hears of any more (one whose engine fails is down as well, but heard). */
export const silentMessage = 'heartbeat failure';

export interface LivenessView {
  now_ms: number;
  /** Time after which a silent node, or manager, is taken for lost. */
  lost_ms: number;
  self: string;
  leads: boolean;
  /** Epoch of the session that this manager holds with the node; undefined: none. */
  epochHere(nodeID: string): number | undefined;
  /** Whether the leader has not heard of that manager for `lost_ms`, or it is no member any more. */
  managerGone(nodeID: string): boolean;
  /** Whether it is gone because it is silent. */
  managerSilent(nodeID: string): boolean;
}

/**
 * Which nodes are to be declared down. A manager answers for the sessions it held, the leader for those of managers that are gone; either
 * waits `lost_ms` from when it first found the session missing, so that a node has time to turn to another manager.
 */
export class NodeLiveness {
  private readonly missing = new Map<string, { epoch: number; since: number }>();

  /** Looks at every node once; the caller declares those returned down, fenced by the epoch they have now. */
  sweep(view: View, at: LivenessView): Node[] {
    const lost: Node[] = [];
    const seen = new Set<string>();
    for (const node of view.list('Node')) {
      const epoch = node.Status?.SessionEpoch ?? 0;
      if (!this.isMissing(node, epoch, at)) continue;
      seen.add(node.ID);
      const known = this.missing.get(node.ID);
      if (isSilentWithItself(node, at)) lost.push(node);
      else if (known?.epoch !== epoch) this.missing.set(node.ID, { epoch, since: at.now_ms });
      else if (at.now_ms - known.since >= at.lost_ms) lost.push(node);
    }
    for (const id of this.missing.keys()) if (!seen.has(id)) this.missing.delete(id);
    return lost;
  }

  /** A session ended, `silent_ms` after the last word of the node: that time counts already. */
  ended(nodeID: string, epoch: number, now_ms: number, silent_ms: number): void {
    this.missing.set(nodeID, { epoch, since: now_ms - silent_ms });
  }

  reset(): void {
    this.missing.clear();
  }

  private isMissing(node: Node, epoch: number, at: LivenessView): boolean {
    if (node.Status === null || node.Status.State === 'down' || epoch === 0) return false;
    const holder = node.Status.SessionManager;
    if (holder === at.self) return at.epochHere(node.ID) !== epoch;
    return at.leads && at.managerGone(holder);
  }
}

/** A manager that held its own node's session is one process with it: silent as the one, it will not come back as the other. */
function isSilentWithItself({ ID, Status }: Node, at: LivenessView): boolean {
  return Status?.SessionManager === ID && ID !== at.self && at.managerSilent(ID);
}
