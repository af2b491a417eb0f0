import type { NodeRole } from '../security/identity.js';
import type { NodeState } from './state.js';

/** What a node does as a worker, which managers do too: its session with a manager, its tasks, its routes. */
export interface WorkerSide {
  /** Whether a manager has welcomed the node since it started. */
  readonly isConnected: boolean;
  /** Why the cluster does not want this node any more; '' while it does. */
  readonly rejection: string;
  /** Stops; the containers run on. */
  stop(): Promise<void>;
  /** Removes the containers of the node's tasks, after `stop`: the node leaves the cluster. */
  removeContainers(): Promise<void>;
}

/** What the worker's side tells the node as it hears it from a manager. */
export interface WorkerEvents {
  onRole: (role: NodeRole) => void;
  onManagers: (managers: NodeState['managers']) => void;
  onConnected: () => void;
  onRejected: (reason: string) => void;
}
