import type { RoutesInit } from '../../model/types.js';
import { NetworkTable } from '../../network/network-table.js';
import { RouteTable } from '../../network/route-table.js';
import type { Commit, View } from '../../store/view.js';

/** The routes and networks of the state, and what of them has changed since the nodes were last told. */
export class RouteNews {
  private readonly routes: RouteTable;
  private readonly networks: NetworkTable;
  private readonly changed = {
    peers: new News(),
    networks: new News(),
  } as const;
  /** Whether the nodes know of each other. */
  private told: boolean;

  constructor(store: View) {
    this.routes = new RouteTable(store);
    this.networks = new NetworkTable(store);
    this.told = this.isPeerNeeded;
  }

  /**
   * Whether nodes send each other traffic of tasks. While they do not they are not told of each other: every node that comes would be news
   * to every other one, and each of those would answer.
   */
  private get isPeerNeeded(): boolean {
    return this.routes.size > 0 || this.networks.networks.size > 0;
  }

  all(): RoutesInit {
    return {
      Routes: this.routes.routes(),
      Peers: this.told ? [...this.networks.peers.values()] : [],
      Networks: [...this.networks.networks.values()],
      NetworkServices: [...this.networks.services.values()],
    };
  }

  /** Takes in a commit; every one exactly once and in order. */
  learn(commit: Commit): void {
    this.routes.learn(commit);
    const { peers, networks } = this.networks.apply(commit);
    const isFirst = this.isPeerNeeded && !this.told;
    this.told = this.isPeerNeeded;
    if (isFirst) for (const [id, peer] of this.networks.peers) this.changed.peers.set(id, peer);
    // One that is gone is told of in any case: nodes may know it from before.
    for (const [id, peer] of peers) if (this.told || peer === undefined) this.changed.peers.set(id, peer);
    for (const [id, network] of networks) this.changed.networks.set(id, network);
  }

  /** Takes out what has changed since it was last asked; undefined: nothing. */
  take(): RoutesInit | undefined {
    const { changed, moved, removed } = this.routes.take();
    const services = this.networks.takeServices();
    const { peers, networks } = this.changed;
    const lists = [changed, moved, removed, services.changed, services.moved, services.removed];
    if (lists.every(({ length }) => length === 0) && peers.size + networks.size === 0) return undefined;
    const [p, n] = [peers.take(), networks.take()];
    return {
      Routes: changed,
      RouteChanges: moved,
      RemovedRouteIDs: removed,
      Peers: p.changed,
      RemovedPeerIDs: p.removed,
      Networks: n.changed,
      RemovedNetworkIDs: n.removed,
      NetworkServices: services.changed,
      NetworkServiceChanges: services.moved,
      RemovedNetworkServiceIDs: services.removed,
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
