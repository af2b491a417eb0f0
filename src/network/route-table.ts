import { isDeepStrictEqual } from 'node:util';
import type { PortConfig, Route, Service, Task } from '../model/types.js';
import type { Commit, View } from '../store/view.js';
import { compare, ingressPorts, isServing, routeTo } from './endpoints.js';

/** What a commit did to the routes. */
export interface RouteChanges {
  /** New or changed, whole, in order of id. */
  changed: Route[];
  /** Ids of routes that are no more, in order. */
  removed: string[];
}

/** One service as the table knows it. */
interface Entry {
  service: Service;
  ports: Map<string, PortConfig>;
}

/**
 * `routesOf`, kept up to date commit by commit. A commit costs in proportion to what it changes and to the routes that differ after it;
 * one that touches no route (status reports, most of all) costs a look at each of its changes.
 * Routes handed out are never changed afterwards.
 */
export class RouteTable {
  private readonly services = new Map<string, Entry>();
  /** Serving tasks by service. A service's tasks may be here before it and after it. */
  private readonly serving = new Map<string, Map<string, Task>>();
  /** Ids of the services that claim a route; more than one only while a plan lags. */
  private readonly claims = new Map<string, Set<string>>();
  private readonly current = new Map<string, Route>();

  /** Starts as of `view`; the first commit to apply is the one after `view.index`. */
  constructor(view: View) {
    const touched = new Set<string>();
    for (const task of view.list('Task')) this.taskChanged(undefined, task, touched);
    for (const service of view.list('Service')) this.serviceChanged(service.ID, service, touched);
    this.rebuild(touched);
  }

  /** All routes, in order of id. */
  routes(): Route[] {
    return [...this.current.values()].sort((a, b) => compare(a.ID, b.ID));
  }

  get size(): number {
    return this.current.size;
  }

  apply(commit: Commit): RouteChanges {
    const touched = new Set<string>();
    for (const change of commit.changes) {
      if (change.kind === 'Task') {
        this.taskChanged(change.before as Task | undefined, change.after as Task | undefined, touched);
      } else if (change.kind === 'Service') {
        this.serviceChanged(change.id, change.after as Service | undefined, touched);
      }
    }
    return this.rebuild(touched);
  }

  private taskChanged(before: Task | undefined, after: Task | undefined, touched: Set<string>): void {
    const served = isServing(before);
    const serves = isServing(after);
    if (!served && !serves) return;
    if (served && !(serves && after.ServiceID === before.ServiceID)) {
      const tasks = this.serving.get(before.ServiceID);
      tasks?.delete(before.ID);
      if (tasks?.size === 0) this.serving.delete(before.ServiceID);
      this.touch(before.ServiceID, touched);
    }
    if (!serves) return;
    let tasks = this.serving.get(after.ServiceID);
    if (tasks === undefined) {
      tasks = new Map();
      this.serving.set(after.ServiceID, tasks);
    }
    const known = tasks.get(after.ID);
    tasks.set(after.ID, after);
    const same = known?.NodeID === after.NodeID && isDeepStrictEqual(known.Status?.Addresses, after.Status.Addresses);
    if (!same) this.touch(after.ServiceID, touched);
  }

  private serviceChanged(id: string, after: Service | undefined, touched: Set<string>): void {
    this.touch(id, touched);
    for (const route of this.services.get(id)?.ports.keys() ?? []) {
      const claims = this.claims.get(route);
      claims?.delete(id);
      if (claims?.size === 0) this.claims.delete(route);
    }
    this.services.delete(id);
    if (after === undefined) return;
    const ports = ingressPorts(after);
    if (ports.size === 0) return;
    this.services.set(id, { service: after, ports });
    for (const route of ports.keys()) {
      const claims = this.claims.get(route);
      if (claims === undefined) this.claims.set(route, new Set([id]));
      else claims.add(id);
    }
    this.touch(id, touched);
  }

  private touch(serviceID: string, touched: Set<string>): void {
    for (const route of this.services.get(serviceID)?.ports.keys() ?? []) touched.add(route);
  }

  private rebuild(touched: Set<string>): RouteChanges {
    const changes: RouteChanges = { changed: [], removed: [] };
    const tasksInOrder = new Map<string, Task[]>();
    for (const id of [...touched].sort(compare)) {
      const owner = [...(this.claims.get(id) ?? [])].sort(compare)[0];
      const entry = owner === undefined ? undefined : this.services.get(owner);
      if (owner === undefined || entry === undefined) {
        if (this.current.delete(id)) changes.removed.push(id);
        continue;
      }
      let tasks = tasksInOrder.get(owner);
      if (tasks === undefined) {
        tasks = [...(this.serving.get(owner)?.values() ?? [])].sort((a, b) => compare(a.ID, b.ID));
        tasksInOrder.set(owner, tasks);
      }
      const route = routeTo(entry.service, id, entry.ports.get(id)!, tasks);
      if (isDeepStrictEqual(route, this.current.get(id))) continue;
      this.current.set(id, route);
      changes.changed.push(route);
    }
    return changes;
  }
}
