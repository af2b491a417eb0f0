import type { Service } from '../model/types.js';
import { ingressPorts, nameKey, type ObjectTables } from './tables.js';
import type { Change, Kind, Tables } from './view.js';

/**
 * The tables as they would be with the operations so far. A refused transaction is forgotten with its draft; an accepted one is written
 * by `commit`. Invariant: whatever the draft changed is read from it, everything else from the tables.
 */
export class Draft {
  private readonly pending = new Map<string, Change>(); // "Task/<id>" → its one change
  private readonly names = new Map<string, string | undefined>();
  private readonly ports = new Map<string, string | undefined>();

  constructor(private readonly tables: ObjectTables) {}

  get<K extends Kind>(kind: K, id: string): Tables[K] | undefined {
    const change = this.pending.get(`${kind}/${id}`);
    return change === undefined ? this.tables.get(kind, id) : (change.after as Tables[K] | undefined);
  }

  /** All objects of a kind, in no particular order. */
  *list<K extends Kind>(kind: K): Iterable<Tables[K]> {
    for (const object of this.tables.list(kind)) if (!this.pending.has(`${kind}/${object.ID}`)) yield object;
    for (const change of this.pending.values()) {
      if (change.kind === kind && change.after !== undefined) yield change.after as Tables[K];
    }
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

  /** Adds or replaces an object. */
  put<K extends Kind>(kind: K, object: Tables[K]): void {
    this.change(kind, object.ID, object);
  }

  drop(kind: Kind, id: string): void {
    this.change(kind, id, undefined);
  }

  /** Writes the draft to the tables. One change an object, however often the transaction touched it. */
  commit(): Change[] {
    const changes: Change[] = [];
    // What goes leaves its name and ports before others take them.
    for (const { kind, id, after } of this.pending.values()) if (after === undefined) this.tables.drop(kind, id);
    for (const { kind, id, before, after } of this.pending.values()) {
      if (after !== undefined) {
        changes.push({ kind, id, ...(before && { before }), after: this.tables.put(kind, after) });
      } else if (before !== undefined) changes.push({ kind, id, before });
    }
    return changes;
  }

  private change(kind: Kind, id: string, after: Tables[Kind] | undefined): void {
    const now = this.get(kind, id);
    const key = `${kind}/${id}`;
    const before = this.pending.has(key) ? this.pending.get(key)!.before : now;
    if (now !== undefined) this.index(kind, now, undefined);
    if (after !== undefined) this.index(kind, after, id);
    this.pending.set(key, { kind, id, ...(before && { before }), ...(after && { after }) });
  }

  private index(kind: Kind, object: Tables[Kind], holder: string | undefined): void {
    const name = nameKey(kind, object);
    if (name !== undefined) this.names.set(name, holder);
    if (kind === 'Service') for (const port of ingressPorts(object as Service)) this.ports.set(port, holder);
  }
}
