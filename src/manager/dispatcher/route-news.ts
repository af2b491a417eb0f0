import type { RoutesInit } from '../../model/types.js';
import { NetworkTable } from '../../network/network-table.js';
import { RouteTable } from '../../network/route-table.js';
import type { Commit, View } from '../../store/view.js';

/** The routes and networks of the state, and what of them has changed since the nodes were last told. */
export class RouteNews {
  private readonly routes: RouteTable;
  private readonly networks: NetworkTable;
  private readonly changed = {
    routes: new News(),
    peers: new News(),
    networks: new News(),
    services: new News(),
  } as const;

  constructor(store: View) {
    this.routes = new RouteTable(store);
    this.networks = new NetworkTable(store);
  }

  all(): RoutesInit {
    return {
      Routes: this.routes.routes(),
      Peers: [...this.networks.peers.values()],
      Networks: [...this.networks.networks.values()],
      NetworkServices: [...this.networks.services.values()],
    };
  }

  /** Takes in a commit; every one exactly once and in order. */
  learn(commit: Commit): void {
    const { changed, removed } = this.routes.apply(commit);
    for (const route of changed) this.changed.routes.set(route.ID, route);
    for (const id of removed) this.changed.routes.set(id, undefined);
    const { peers, networks, services } = this.networks.apply(commit);
    for (const [id, peer] of peers) this.changed.peers.set(id, peer);
    for (const [id, network] of networks) this.changed.networks.set(id, network);
    for (const [id, service] of services) this.changed.services.set(id, service);
  }

  /** Takes out what has changed since it was last asked; undefined: nothing. */
  take(): RoutesInit | undefined {
    const { routes, peers, networks, services } = this.changed;
    if ([routes, peers, networks, services].every((news) => news.size === 0)) return undefined;
    const [r, p, n, s] = [routes.take(), peers.take(), networks.take(), services.take()];
    return {
      Routes: r.changed,
      RemovedRouteIDs: r.removed,
      Peers: p.changed,
      RemovedPeerIDs: p.removed,
      Networks: n.changed,
      RemovedNetworkIDs: n.removed,
      NetworkServices: s.changed,
      RemovedNetworkServiceIDs: s.removed,
    } as RoutesInit;
  }
}

/** Things by id, undefined of one that is no more. */
class News extends Map<string, object | undefined> {
  take(): { changed: object[]; removed: string[] } {
    const changed: object[] = [];
    const removed: string[] = [];
    for (const [id, thing] of this) {
      if (thing === undefined) removed.push(id);
      else changed.push(thing);
    }
    this.clear();
    return { changed, removed };
  }
}
