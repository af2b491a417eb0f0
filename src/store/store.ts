import type { Logger } from 'winston';
import { messageOf } from '../model/errors.js';
import type { Transaction } from '../model/types.js';
import type { StateMachine } from '../raft/node.js';
import { differences } from './differences.js';
import { decodeTransaction } from './entry.js';
import { readSnapshot, writeSnapshot } from './snapshot.js';
import { ObjectTables } from './tables.js';
import { applyTransaction } from './transaction.js';
import { type Commit, type Kind, kinds, type Tables, type Verdict, type View } from './view.js';

/**
 * The state machine that Raft replicates. It is its own View: code that runs without awaiting sees one state from start to end, and
 * objects it keeps stay as they were.
 */
export class Store implements View, StateMachine {
  private tables = new ObjectTables();
  private readonly watchers = new Set<(commit: Commit) => void>();
  private readonly untold: Commit[] = [];

  constructor(private readonly log?: Logger) {}

  /** A store of its own with all that `view` holds at this moment; the objects, which nobody writes to, are shared. */
  static copyOf(view: View): Store {
    const copy = new Store();
    for (const kind of kinds) for (const object of view.list(kind)) copy.tables.put(kind, object);
    copy.tables.index = view.index;
    return copy;
  }

  get index(): number {
    return this.tables.index;
  }
  get<K extends Kind>(kind: K, id: string): Tables[K] | undefined {
    return this.tables.get(kind, id);
  }
  byName<K extends Exclude<Kind, 'Task'>>(kind: K, name: string): Tables[K] | undefined {
    return this.tables.byName(kind, name);
  }
  list<K extends Kind>(kind: K): Iterable<Tables[K]> {
    return this.tables.list(kind);
  }
  count(kind: Kind): number {
    return this.tables.count(kind);
  }
  tasksOfService(serviceID: string) {
    return this.tables.tasksOfService(serviceID);
  }
  tasksOfNode(nodeID: string) {
    return this.tables.tasksOfNode(nodeID);
  }
  cluster() {
    return this.tables.cluster();
  }

  /** Applies one entry: the wire bytes of a Transaction. Bytes that are none are refused like any bad transaction, on every manager alike. */
  apply(index: number, data: Uint8Array): Verdict {
    let transaction: Transaction;
    try {
      transaction = decodeTransaction(Buffer.from(data)); // a copy: what objects keep of it is theirs
    } catch (error) {
      this.tables.index = index;
      return { ok: false, code: 'invalid-argument', message: `not a transaction: ${messageOf(error)}`, operation: 0 };
    }
    const { verdict, changes } = applyTransaction(this.tables, index, transaction);
    this.tables.index = index;
    if (changes.length > 0) this.tell({ index, changes, origin: transaction.Origin, time: transaction.Time });
    return verdict;
  }

  /** Calls back with every commit from now on, in order, right after it was applied; the result stops it. */
  watch(call: (commit: Commit) => void): () => void {
    this.watchers.add(call);
    return () => this.watchers.delete(call);
  }

  /** Chunks of the state of this moment; later writes do not show, however long the reader takes. */
  snapshot(): AsyncIterable<Uint8Array> {
    return writeSnapshot(this.tables);
  }

  /** Replaces the whole state. Watchers are told the differences as one commit. Nothing changes when the chunks are broken. */
  async restore(index: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const next = await readSnapshot(chunks);
    next.index = index;
    const changes = await differences(this.tables, next);
    this.tables = next;
    if (changes.length > 0) this.tell({ index, changes, origin: 'snapshot', time: '' });
  }

  /** One commit after the other, to every watcher, even when a watcher applies the next one itself (as without Raft it can). */
  private tell(commit: Commit): void {
    if (this.untold.push(commit) > 1) return; // further out on the stack this is running already
    for (let next = this.untold[0]; next !== undefined; next = this.untold[0]) {
      for (const watcher of [...this.watchers]) this.tellOne(watcher, next);
      this.untold.shift();
    }
  }

  private tellOne(watcher: (commit: Commit) => void, commit: Commit): void {
    try {
      watcher(commit);
    } catch (error) {
      // one part's mistake must not keep the entry from being applied, nor other parts from hearing of it
      this.log?.error('a watcher of the store failed', {
        index: commit.index,
        reason: messageOf(error),
        stack: (error as Error).stack,
      });
    }
  }
}
