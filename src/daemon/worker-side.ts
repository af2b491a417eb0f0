import { hostname } from 'node:os';
import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';
import type { Random } from '../model/random.js';
import { serviceClient } from '../model/services.js';
import type { ManagerPeer } from '../model/types.js';
import type { Credentials } from '../security/credentials.js';
import type { NodeRole } from '../security/identity.js';
import { tlsInfoOf } from '../security/tls-info.js';
import { NodeSession } from '../worker/session/session.js';
import { splitHostPort } from './addresses.js';
import type { WorkerPlace } from './parts.js';
import type { NodeState } from './state.js';

/** What a node does as a worker, which managers do too: its session with a manager, its tasks, its routes. */
export interface WorkerSide {
  /** Whether a manager has welcomed the node since it started. */
  readonly isConnected: boolean;
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
