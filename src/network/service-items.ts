import { isDeepStrictEqual } from 'node:util';
import type { NetworkEndpoint, NetworkService, NetworkServiceChange } from '../model/types.js';
import { compare } from './endpoints.js';

/** What has become of the services on networks since they were last asked for. */
export interface ServiceChanges {
  /** New, or changed in more than their tasks: whole. */
  changed: NetworkService[];
  /** Of services that are as they were but for some tasks, these. */
  moved: NetworkServiceChange[];
  /** Ids of what is no more. */
  removed: string[];
}

interface Item {
  /** Without its tasks. */
  head: NetworkService;
  endpoints: Map<string, NetworkEndpoint>;
  /** As it was last asked for; undefined once it is not that any more. */
  whole: NetworkService | undefined;
}

/** Services on networks with their tasks there: what is told of a change is in proportion to it, however many tasks a service has. */
export class ServiceItems {
  private readonly items = new Map<string, Item>();
  /** Every item as it was last taken, but for its tasks. */
  private readonly heads = new Map<string, NetworkService>();
  /** Since changes were last taken: items that may be there now or no more, or be others, and by item the tasks that came, changed or went. */
  private readonly touched = new Set<string>();
  private readonly touchedTasks = new Map<string, Set<string>>();
  /** Whether somebody was told all since changes were last taken, and so may know what came and went meanwhile. */
  private isShown = false;

  /** All of them, each with its tasks in order of id. What is the same object as before says the same. */
  all(): Map<string, NetworkService> {
    this.isShown = true;
    return new Map([...this.items].map(([id, item]) => [id, wholeOf(item)]));
  }

  has(id: string): boolean {
    return this.items.has(id);
  }

  hasTasks(id: string): boolean {
    return (this.items.get(id)?.endpoints.size ?? 0) > 0;
  }

  /** Everything but the tasks of one that is there or comes. */
  setHead(head: NetworkService): void {
    const item = this.items.get(head.ID);
    if (item === undefined) this.items.set(head.ID, { head, endpoints: new Map(), whole: undefined });
    else if (isDeepStrictEqual(item.head, head)) return;
    else {
      item.head = head;
      item.whole = undefined;
    }
    this.touched.add(head.ID);
  }

  remove(id: string): void {
    if (this.items.delete(id)) this.touched.add(id);
  }

  /** A task of one that is there; undefined: it has no address there any more. */
  setTask(id: string, taskID: string, endpoint: NetworkEndpoint | undefined): void {
    const item = this.items.get(id);
    if (item === undefined || isDeepStrictEqual(item.endpoints.get(taskID), endpoint)) return;
    if (endpoint === undefined) item.endpoints.delete(taskID);
    else item.endpoints.set(taskID, endpoint);
    item.whole = undefined;
    const tasks = this.touchedTasks.get(id);
    if (tasks === undefined) this.touchedTasks.set(id, new Set([taskID]));
    else tasks.add(taskID);
  }

  /** What has changed since this was last asked. */
  take(): ServiceChanges {
    const changes: ServiceChanges = { changed: [], moved: [], removed: [] };
    const whole = new Set<string>();
    for (const id of this.touched) {
      const item = this.items.get(id);
      if (item === undefined) {
        if (this.heads.delete(id) || this.isShown) changes.removed.push(id);
      } else if (this.isShown || !isDeepStrictEqual(item.head, this.heads.get(id))) {
        this.heads.set(id, item.head);
        whole.add(id);
        changes.changed.push(wholeOf(item));
      }
    }
    for (const [id, taskIDs] of this.touchedTasks) {
      const item = this.items.get(id);
      if (item !== undefined && !whole.has(id)) changes.moved.push(changeOf(id, item, taskIDs));
    }
    this.touched.clear();
    this.touchedTasks.clear();
    this.isShown = false;
    return changes;
  }
}

function wholeOf(item: Item): NetworkService {
  item.whole ??= {
    ...item.head,
    Endpoints: [...item.endpoints.values()].sort((a, b) => compare(a.TaskID, b.TaskID)),
  };
  return item.whole;
}

function changeOf(ID: string, { endpoints }: Item, taskIDs: ReadonlySet<string>): NetworkServiceChange {
  const change: NetworkServiceChange = { ID, Endpoints: [], RemovedTaskIDs: [] };
  for (const taskID of [...taskIDs].sort(compare)) {
    const endpoint = endpoints.get(taskID);
    if (endpoint === undefined) change.RemovedTaskIDs.push(taskID);
    else change.Endpoints.push(endpoint);
  }
  return change;
}
