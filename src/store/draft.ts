import type { Service, Task, TaskSpec } from '../model/types.js';
import { ingressPorts, nameKey, type ObjectTables } from './tables.js';
import type { Change, Kind, Tables } from './view.js';

/**
 * The tables as they would be with the operations so far. A refused transaction is forgotten with its draft; an accepted one is written
 * by `commit`. Invariant: whatever the draft changed is read from it, everything else from the tables.
 */
export class Draft {
  private readonly pending: { [K in Kind]: Map<string, Change> } = {
    Cluster: new Map(),
    Node: new Map(),
    Service: new Map(),
    Task: new Map(),
    Network: new Map(),
    Secret: new Map(),
    Config: new Map(),
  };
  /** All that is pending, one an object, in the order in which they were first touched. */
  private readonly changes: Change[] = [];
  private readonly names = new Map<string, string | undefined>();
  private readonly ports = new Map<string, string | undefined>();

  constructor(private readonly tables: ObjectTables) {}

  get<K extends Kind>(kind: K, id: string): Tables[K] | undefined {
    const change = this.pending[kind].get(id);
    return change === undefined ? this.tables.get(kind, id) : (change.after as Tables[K] | undefined);
  }

  /** All objects of a kind, in no particular order. */
  *list<K extends Kind>(kind: K): Iterable<Tables[K]> {
    const pending = this.pending[kind];
    for (const object of this.tables.list(kind)) if (!pending.has(object.ID)) yield object;
    for (const { after } of pending.values()) if (after !== undefined) yield after as Tables[K];
  }

  /** Id of the object of the kind that has the name. */
  holderOfName(kind: Kind, object: Tables[Kind]): string | undefined {
    const key = nameKey(kind, object);
    if (key === undefined) return undefined;
    return this.names.has(key) ? this.names.get(key) : this.tables.holderOfName(key);
  }

  /** Id of the service that publishes the port in ingress mode. */
  holderOfPort(port: string): string | undefined {
    return this.ports.has(port) ? this.ports.get(port) : this.tables.holderOfPort(port);
  }

  /** The highest number of any node, or any network; 0 when there is none. */
  highestNumber(kind: 'Node' | 'Network'): number {
    const pending = [...this.pending[kind].values()];
    const onlyAdds = pending.every(({ before }) => before === undefined);
    const looked = onlyAdds ? pending.map(({ after }) => after) : this.list(kind);
    let highest = onlyAdds ? this.tables.highestNumber(kind) : 0;
    for (const object of looked as Iterable<Tables['Node' | 'Network'] | undefined>) {
      highest = Math.max(highest, object?.Number ?? 0);
    }
    return highest;
  }

  /** The task's spec as others of its service have it. */
  sharedSpec(task: Task): TaskSpec | null {
    return this.tables.sharedSpec(task);
  }

  /** Adds or replaces an object. */
  put<K extends Kind>(kind: K, object: Tables[K]): void {
    this.change(kind, object.ID, object);
  }

  drop(kind: Kind, id: string): void {
    this.change(kind, id, undefined);
  }

  /** Writes the draft to the tables. One change an object, however often the transaction touched it. */
  commit(): Change[] {
    // What goes leaves its name and ports before others take them.
    for (const { kind, id, after } of this.changes) if (after === undefined) this.tables.drop(kind, id);
    const changes: Change[] = [];
    for (const change of this.changes) {
      if (change.after !== undefined) change.after = this.tables.put(change.kind, change.after);
      else if (change.before === undefined) continue; // came and went
      changes.push(change);
    }
    return changes;
  }

  private change(kind: Kind, id: string, after: Tables[Kind] | undefined): void {
    const known = this.pending[kind].get(id);
    const now = known === undefined ? this.tables.get(kind, id) : known.after;
    if (now !== undefined) this.index(kind, now, undefined);
    if (after !== undefined) this.index(kind, after, id);
    if (known !== undefined) {
      known.after = after;
      return;
    }
    const change: Change = { kind, id, before: now, after };
    this.pending[kind].set(id, change);
    this.changes.push(change);
  }

  private index(kind: Kind, object: Tables[Kind], holder: string | undefined): void {
    if (kind === 'Task') return; // has neither
    const name = nameKey(kind, object);
    if (name !== undefined) this.names.set(name, holder);
    if (kind === 'Service') for (const port of ingressPorts(object as Service)) this.ports.set(port, holder);
  }
}
