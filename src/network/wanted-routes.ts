import type { Network, NetworkPeer, NetworkService, Route, RouteChange, Routes } from '../model/types.js';
import { compare } from './endpoints.js';
import type { NetworkItems } from './network-table.js';

/** What a session's messages amount to: everything that the managers have said and not taken back, by kind and id. */
export class WantedRoutes {
  readonly routes = new Map<string, Route>();
  readonly peers = new Map<string, NetworkPeer>();
  readonly networks = new Map<string, Network>();
  readonly services = new Map<string, NetworkService>();

  /** The networks' part as it is now. */
  networkItems(): NetworkItems {
    return { peers: new Map(this.peers), networks: new Map(this.networks), services: new Map(this.services) };
  }

  take(message: Routes): void {
    put(this.routes, message.Full, message.Routes, message.RemovedRouteIDs);
    for (const change of message.RouteChanges) {
      const route = this.routes.get(change.ID);
      if (route !== undefined) this.routes.set(change.ID, changed(route, change));
    }
    put(this.peers, message.Full, message.Peers, message.RemovedPeerIDs);
    put(this.networks, message.Full, message.Networks, message.RemovedNetworkIDs);
    put(this.services, message.Full, message.NetworkServices, message.RemovedNetworkServiceIDs);
  }
}

/** The route with what has changed of its endpoints, in order of task id. */
function changed(route: Route, { Endpoints, RemovedTaskIDs }: RouteChange): Route {
  const gone = new Set(RemovedTaskIDs);
  for (const { TaskID } of Endpoints) gone.add(TaskID);
  const kept = route.Endpoints.filter(({ TaskID }) => !gone.has(TaskID));
  return { ...route, Endpoints: [...kept, ...Endpoints].sort((a, b) => compare(a.TaskID, b.TaskID)) };
}

function put<T extends { ID: string }>(
  known: Map<string, T>,
  isFull: boolean,
  changed: readonly T[],
  removed: readonly string[],
): void {
  if (isFull) known.clear();
  for (const id of removed) known.delete(id);
  for (const item of changed) known.set(item.ID, item);
}
