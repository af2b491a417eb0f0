import type { Route } from '../../model/types.js';
import { RouteTable } from '../../network/route-table.js';
import type { Commit, View } from '../../store/view.js';

/** The routes of the state, and what of them has changed since the nodes were last told. */
export class RouteNews {
  private readonly table: RouteTable;
  /** By route id; undefined of a route that is no more. */
  private readonly changed = new Map<string, Route | undefined>();

  constructor(store: View) {
    this.table = new RouteTable(store);
  }

  all(): Route[] {
    return this.table.routes();
  }

  /** Takes in a commit; every one exactly once and in order. */
  learn(commit: Commit): void {
    const { changed, removed } = this.table.apply(commit);
    for (const route of changed) this.changed.set(route.ID, route);
    for (const id of removed) this.changed.set(id, undefined);
  }

  /** Takes out what has changed since it was last asked; undefined: nothing. */
  take(): { Routes: Route[]; RemovedRouteIDs: string[] } | undefined {
    if (this.changed.size === 0) return undefined;
    const Routes: Route[] = [];
    const RemovedRouteIDs: string[] = [];
    for (const [id, route] of this.changed) {
      if (route === undefined) RemovedRouteIDs.push(id);
      else Routes.push(route);
    }
    this.changed.clear();
    return { Routes, RemovedRouteIDs };
  }
}
