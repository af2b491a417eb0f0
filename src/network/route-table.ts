import { isDeepStrictEqual } from 'node:util';
import type { PortConfig, Route, RouteChange, Service, Task } from '../model/types.js';
import type { Commit, View } from '../store/view.js';
import { compare, endpointOf, ingressPorts, isServing, routeTo } from './endpoints.js';

/** What has become of the routes since they were last asked for. */
export interface RouteChanges {
  /** New, or changed in more than their endpoints: whole, in order of id. */
  changed: Route[];
  /** Of routes that are as they were but for some endpoints, these, in order of id. */
  moved: RouteChange[];
  /** Ids of routes that are no more, in order. */
  removed: string[];
}

/** One service as the table knows it. */
interface Entry {
  service: Service;
  ports: Map<string, PortConfig>;
}

/**
 * `routesOf`, kept up to date commit by commit. What is taken costs in proportion to what has changed, however many endpoints a route has; a
 * commit that touches no route (status reports, most of all) costs a look at each of its changes.
 */
export class RouteTable {
  private readonly services = new Map<string, Entry>();
  /** Serving tasks by service. A service's tasks may be here before it and after it. */
  private readonly serving = new Map<string, Map<string, Task>>();
  /** Ids of the services that claim a route; more than one only while a plan lags. */
  private readonly claims = new Map<string, Set<string>>();
  /** Every route as it was last taken, but for its endpoints. */
  private readonly heads = new Map<string, Route>();
  /** Since changes were last taken: routes that may be others now, and by service the tasks that came, changed or went. */
  private readonly touched = new Set<string>();
  private readonly touchedTasks = new Map<string, Set<string>>();
  /** Whether somebody was told the routes since changes were last taken, and so may know what came and went meanwhile. */
  private isShown = false;

  /** Starts as of `view`; the first commit to learn of is the one after `view.index`. */
  constructor(view: View) {
    for (const task of view.list('Task')) this.taskChanged(undefined, task);
    for (const service of view.list('Service')) this.serviceChanged(service.ID, service);
    this.take();
  }

  /** All routes as they are now, in order of id: for whoever will be told what is taken from now on. */
  routes(): Route[] {
    this.isShown = true;
    return [...this.claims.keys()].sort(compare).flatMap((id) => this.routeOf(id, true) ?? []);
  }

  get size(): number {
    return this.claims.size;
  }

  /** Takes in a commit; every one exactly once and in order. */
  learn(commit: Commit): void {
    for (const { kind, id, before, after } of commit.changes) {
      if (kind === 'Task') this.taskChanged(before as Task | undefined, after as Task | undefined);
      else if (kind === 'Service') this.serviceChanged(id, after as Service | undefined);
    }
  }

  /** What has changed since this was last asked, or since the start. */
  take(): RouteChanges {
    const changes: RouteChanges = { changed: [], moved: [], removed: [] };
    const whole = new Set<string>();
    for (const id of [...this.touched].sort(compare)) {
      const head = this.routeOf(id, false);
      if (head === undefined) {
        if (this.heads.delete(id) || this.isShown) changes.removed.push(id);
      } else if (this.isShown || !isDeepStrictEqual(head, this.heads.get(id))) {
        this.heads.set(id, head);
        whole.add(id);
        changes.changed.push(this.routeOf(id, true)!);
      }
    }
    for (const [serviceID, taskIDs] of this.touchedTasks) {
      for (const id of this.services.get(serviceID)?.ports.keys() ?? []) {
        const head = this.heads.get(id);
        if (head?.ServiceID === serviceID && !whole.has(id)) changes.moved.push(this.changeOf(head, taskIDs));
      }
    }
    changes.moved.sort((a, b) => compare(a.ID, b.ID));
    this.touched.clear();
    this.touchedTasks.clear();
    this.isShown = false;
    return changes;
  }

  private taskChanged(before: Task | undefined, after: Task | undefined): void {
    const served = isServing(before);
    const serves = isServing(after);
    if (!served && !serves) return;
    if (served && !(serves && after.ServiceID === before.ServiceID)) {
      const tasks = this.serving.get(before.ServiceID);
      tasks?.delete(before.ID);
      if (tasks?.size === 0) this.serving.delete(before.ServiceID);
      this.touchTask(before);
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
    if (!same) this.touchTask(after);
  }

  private touchTask({ ServiceID, ID }: Task): void {
    const tasks = this.touchedTasks.get(ServiceID);
    if (tasks === undefined) this.touchedTasks.set(ServiceID, new Set([ID]));
    else tasks.add(ID);
  }

  private serviceChanged(id: string, after: Service | undefined): void {
    for (const route of this.services.get(id)?.ports.keys() ?? []) {
      this.touched.add(route);
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
      this.touched.add(route);
      const claims = this.claims.get(route);
      if (claims === undefined) this.claims.set(route, new Set([id]));
      else claims.add(id);
    }
  }

  /** Undefined when nobody claims it; without its endpoints unless it shall be `whole`. */
  private routeOf(id: string, whole: boolean): Route | undefined {
    const owner = [...(this.claims.get(id) ?? [])].sort(compare)[0];
    const entry = owner === undefined ? undefined : this.services.get(owner);
    if (owner === undefined || entry === undefined) return undefined;
    const tasks = whole ? [...(this.serving.get(owner)?.values() ?? [])] : [];
    tasks.sort((a, b) => compare(a.ID, b.ID));
    return routeTo(entry.service, id, entry.ports.get(id)!, tasks);
  }

  private changeOf({ ID, ServiceID, Protocol, TargetPort }: Route, taskIDs: ReadonlySet<string>): RouteChange {
    const change: RouteChange = { ID, Endpoints: [], RemovedTaskIDs: [] };
    for (const taskID of [...taskIDs].sort(compare)) {
      const task = this.serving.get(ServiceID)?.get(taskID);
      const endpoint = task && endpointOf(task, Protocol, TargetPort);
      if (endpoint === undefined) change.RemovedTaskIDs.push(taskID);
      else change.Endpoints.push(endpoint);
    }
    return change;
  }
}
