import type { Network, NetworkPeer, NetworkService, Route, Routes } from '../model/types.js';
import { compare } from './endpoints.js';
import type { NetworkItems } from './network-table.js';

/** What a session's messages amount to: everything that the managers have said and not taken back, by kind and id. */
export class WantedRoutes {
  readonly routes = new Map<string, Route>();
  // What was given away does not change any more: who has it compares.
  private peers: ReadonlyMap<string, NetworkPeer> = new Map();
  private networks: ReadonlyMap<string, Network> = new Map();
  private services: ReadonlyMap<string, NetworkService> = new Map();

  /** The networks' part as it is now. Kinds and items that nothing was said of are the same objects as before. */
  networkItems(): NetworkItems {
    return { peers: this.peers, networks: this.networks, services: this.services };
  }

  take(message: Routes): void {
    const { Full: isFull } = message;
    put(this.routes, {
      isFull,
      changed: message.Routes,
      removed: message.RemovedRouteIDs,
      moved: message.RouteChanges,
    });
    this.peers = after(this.peers, { isFull, changed: message.Peers, removed: message.RemovedPeerIDs });
    this.networks = after(this.networks, { isFull, changed: message.Networks, removed: message.RemovedNetworkIDs });
    const { NetworkServices: changed, RemovedNetworkServiceIDs: removed, NetworkServiceChanges: moved } = message;
    this.services = after(this.services, { isFull, changed, removed, moved });
  }
}

/** What a message says of one kind. */
interface News<T> {
  isFull: boolean;
  changed: readonly T[];
  removed: readonly string[];
  moved?: readonly Moved<EndpointOf<T>>[];
}

interface Moved<E> {
  ID: string;
  Endpoints: readonly E[];
  RemovedTaskIDs: readonly string[];
}

type EndpointOf<T> = T extends { Endpoints: (infer E extends { TaskID: string })[] } ? E : never;

function after<T extends { ID: string }>(before: ReadonlyMap<string, T>, news: News<T>): ReadonlyMap<string, T> {
  const { isFull, changed, removed, moved = [] } = news;
  if (!isFull && changed.length + removed.length + moved.length === 0) return before;
  const items = new Map(before);
  put(items, news);
  return items;
}

function put<T extends { ID: string }>(items: Map<string, T>, { isFull, changed, removed, moved = [] }: News<T>): void {
  if (isFull) items.clear();
  for (const id of removed) items.delete(id);
  for (const item of changed) items.set(item.ID, item);
  for (const change of moved) {
    const item = items.get(change.ID);
    if (item !== undefined) items.set(change.ID, withMoved(item, change));
  }
}

/** The same with what has changed of its endpoints, in order of task id. */
function withMoved<T>(item: T, { Endpoints, RemovedTaskIDs }: Moved<EndpointOf<T>>): T {
  const gone = new Set(RemovedTaskIDs);
  for (const { TaskID } of Endpoints) gone.add(TaskID);
  const kept = (item as { Endpoints: EndpointOf<T>[] }).Endpoints.filter(({ TaskID }) => !gone.has(TaskID));
  return { ...item, Endpoints: [...kept, ...Endpoints].sort((a, b) => compare(a.TaskID, b.TaskID)) };
}
