import type {
  Cluster,
  Config,
  Network,
  Node,
  Operation,
  Secret,
  Service,
  Task,
  TransactionInit,
} from '../model/types.js';

/** The tables of the store: object kind by its type. Objects handed out are shared and must never be written to. */
export interface Tables {
  Cluster: Cluster;
  Node: Node;
  Service: Service;
  Task: Task;
  Network: Network;
  Secret: Secret;
  Config: Config;
}
export type Kind = keyof Tables;
export const kinds: readonly Kind[] = ['Cluster', 'Node', 'Service', 'Task', 'Network', 'Secret', 'Config'];

/** What the store holds as of `index`. Everything that decides (API checks, reconcile, routes) reads through this. */
export interface View {
  /** Raft index of the last applied entry. */
  readonly index: number;
  get<K extends Kind>(kind: K, id: string): Tables[K] | undefined;
  /** By Spec.Name; of tasks there is none. Service, network, secret and config names are unique. */
  byName<K extends Exclude<Kind, 'Task'>>(kind: K, name: string): Tables[K] | undefined;
  /** All objects of a kind, in order of creation: the same on every manager. */
  list<K extends Kind>(kind: K): Iterable<Tables[K]>;
  count(kind: Kind): number;
  /** Tasks by what they belong to, in no particular order. */
  tasksOfService(serviceID: string): Iterable<Task>;
  tasksOfNode(nodeID: string): Iterable<Task>;
  /** The one cluster object, once the cluster is initialised. */
  cluster(): Cluster | undefined;
}

/** One object that changed in an applied entry. `before` is undefined of a new one, `after` of a removed one. */
export interface Change<K extends Kind = Kind> {
  kind: K;
  id: string;
  before?: Tables[K];
  after?: Tables[K];
}

/** What applying one entry did: told to watchers in order of index, every index with changes exactly once. */
export interface Commit {
  index: number;
  changes: readonly Change[];
  origin: string;
  /** RFC 3339: Transaction.Time; empty of a snapshot, which does not say when what happened. */
  time: string;
}

/** How a proposed transaction ended when it was applied; the same on every manager. */
export type Verdict =
  | { ok: true; index: number }
  | {
      ok: false;
      code: 'out-of-sequence' | 'name-conflict' | 'not-found' | 'invalid-argument';
      message: string;
      operation: number;
    };

/** Where transactions go: through Raft in production, straight to the store in unit tests. */
export interface Proposer {
  /**
   * Resolves once the transaction was applied here. Throws ShoalError: the verdict's code when it was refused,
   * `no-leader`, `overloaded`, or `unavailable` when its fate is not known (it may still be applied).
   * `term`: of Raft; what was not made in it is not made, and throws `out-of-sequence`.
   */
  propose(transaction: TransactionInit, term?: number): Promise<{ index: number }>;
}

export type { Operation };
