import type { Network, NetworkPeer, NetworkService, Route, Routes } from '../model/types.js';
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
    put(this.peers, message.Full, message.Peers, message.RemovedPeerIDs);
    put(this.networks, message.Full, message.Networks, message.RemovedNetworkIDs);
    put(this.services, message.Full, message.NetworkServices, message.RemovedNetworkServiceIDs);
  }
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
