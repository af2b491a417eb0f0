import assert from 'node:assert/strict';
import { stopGraceOf } from '../../../src/manager/reconcile/policy.js';
import { isAfter, isFinal } from '../../../src/model/states.js';
import type { Task } from '../../../src/model/types.js';
import type { Commit, View } from '../../../src/store/view.js';
import type { World } from '../world.js';
import { type EngineWitness, taskOf } from './engine.js';
import type { Host } from './host.js';
import type { Links } from './links.js';
import { checkPlacement } from './placement.js';
import { Rollouts, slotOf } from './rollouts.js';
import { checkScaling } from './scaling.js';

/** A manager of which nothing is heard no longer counts at the gate after 3 s, and sessions end after that: with room to spare. */
const calmForDrain_ms = 10_000;
/** A step of a task that failed is tried again after at most 30 s. */
const calmForStop_ms = 45_000;
/** From when a task shall not run to when its node was told and has acted on it, besides two stop graces (the gate's, the engine's). */
const stop_ms_max = 10_000;

/** What must hold all along, besides Raft's own rules. Looks only where it can tell: not at hosts that had trouble lately. */
export class Checks {
  /** When each task was first meant to end. */
  private readonly endingSince = new Map<string, number>();
  /** When a container was first seen that has no business to run. */
  private readonly unwantedSince = new Map<string, number>();
  readonly rollouts = new Rollouts();
  readonly counts = { drains: 0, excused: 0, containers: 0 };

  constructor(
    private readonly world: World,
    private readonly links: Links,
    private readonly hosts: readonly Host[],
  ) {}

  /** The most recent state of those that run. */
  latest(): View | undefined {
    let best: View | undefined;
    for (const { view } of this.hosts) if (view !== undefined && view.index > (best?.index ?? -1)) best = view;
    return best;
  }

  witness(host: Host, failed: (error: unknown) => void): EngineWitness {
    const guarded = (check: () => void) => {
      try {
        check();
      } catch (error) {
        failed(error);
      }
    };
    return {
      created: (taskID) => guarded(() => this.checkOnlyContainer(taskID)),
      started: (taskID) => guarded(() => this.checkOneASlot(taskID)),
      ending: (taskID) => guarded(() => this.checkDrained(host, taskID)),
    };
  }

  private checkOnlyContainer(taskID: string): void {
    this.counts.containers++;
    const holders = this.hosts.flatMap(({ name, engine }) =>
      [...engine.containers.values()].filter((container) => taskOf(container) === taskID).map(() => name),
    );
    assert.ok(holders.length <= 1, `task ${taskID} has ${holders.length} containers, on ${holders}`);
  }

  /** No container starts while another of its slot runs, but for one where successors start first. */
  private checkOneASlot(taskID: string): void {
    const view = this.latest();
    const task = view?.get('Task', taskID);
    // A start may be on its way when the task is told to go.
    if (view === undefined || task === undefined || isAfter(task.DesiredState, 'complete')) return;
    const beside: string[] = [];
    for (const host of this.hosts) {
      const isCalm =
        this.links.calm_ms(host.name) > calmForDrain_ms && this.links.calm_ms(engineOf(host)) > calmForStop_ms;
      if (!isCalm || view.get('Node', host.nodeID)?.Status?.State !== 'ready') continue;
      for (const container of host.engine.running()) {
        const other = view.get('Task', taskOf(container));
        if (other === undefined || other.ID === taskID || other.DesiredState === 'remove') continue;
        if (other.ServiceID === task.ServiceID && slotOf(other) === slotOf(task)) beside.push(container.name);
      }
    }
    const most = this.rollouts.mostBeside(task);
    assert.ok(beside.length <= most, `${task.Name} ${taskID} starts beside ${beside}`);
  }

  /** No node sends new connections to a task that is told to stop. */
  private checkDrained(owner: Host, taskID: string): void {
    const routing = this.hosts.filter(({ plane }) => plane?.routesTo(taskID));
    this.counts.drains++;
    if (routing.length === 0) return;
    const view = this.latest();
    const task = view?.get('Task', taskID);
    const since = this.endingSince.get(taskID);
    const waited_ms = since === undefined ? 0 : this.world.now_ms - since;
    if (task !== undefined && waited_ms >= stopGraceOf(task.Spec)) return;
    for (const host of routing) {
      const involved = [owner.name, host.name, this.holderOf(owner, view), this.holderOf(host, view)];
      if (involved.some((name) => this.links.calm_ms(name) < calmForDrain_ms)) this.counts.excused++;
      else {
        const why = `meant to end ${since === undefined ? 'by nobody' : `for ${Math.round(waited_ms)} ms`}`;
        assert.fail(`${owner.name} stops the container of ${taskID} (${why}) while ${host.name} routes to it`);
      }
    }
  }

  /** Name of the manager that holds the host's session. */
  private holderOf(host: Host, view: View | undefined): string {
    const nodeID = view?.get('Node', host.nodeID)?.Status?.SessionManager;
    return this.hosts.find((one) => one.nodeID === nodeID)?.name ?? '';
  }

  /** To be told every commit of every manager. */
  committed(commit: Commit, view: View): void {
    const { index, changes } = commit;
    checkPlacement(view, commit);
    checkScaling(view, commit);
    this.rollouts.check(view, commit);
    for (const { kind, id, before, after } of changes) {
      if (kind !== 'Task') continue;
      const [was, is] = [before as Task | undefined, after as Task | undefined];
      if (isAfter(is?.DesiredState ?? 'remove', 'complete') && !this.endingSince.has(id)) {
        this.endingSince.set(id, this.world.now_ms);
      }
      const [from, to] = [was?.Status?.State ?? '', is?.Status?.State ?? ''];
      if (was === undefined || is === undefined || from === to) continue;
      assert.ok(isAfter(to, from) && !isFinal(from), `entry ${index}: task ${id} goes from ${from} to ${to}`);
      assert.ok(!isAfter(was.DesiredState, is.DesiredState), `entry ${index}: ${id} is wanted again`);
      assert.ok(was.NodeID === '' || was.NodeID === is.NodeID, `entry ${index}: ${id} moves between nodes`);
    }
  }

  /** Every container that runs belongs to a task that shall run there; to be called every second or so. */
  checkWanted(): void {
    const view = this.latest();
    if (view === undefined) return;
    const hasLeader = this.hosts.some(
      ({ manager, name }) => manager?.raft.status().role === 'leader' && this.links.calm_ms(name) > calmForDrain_ms,
    );
    for (const host of this.hosts) {
      const isCalm =
        hasLeader &&
        host.process !== undefined &&
        this.links.calm_ms(host.name) > calmForDrain_ms &&
        this.links.calm_ms(this.holderOf(host, view)) > calmForDrain_ms &&
        this.links.calm_ms(engineOf(host)) > calmForStop_ms;
      for (const container of host.engine.running()) {
        const key = `${host.name} ${container.id}`;
        const task = view.get('Task', taskOf(container));
        const isWanted = task?.NodeID === host.nodeID && !isAfter(task.DesiredState, 'complete');
        if (isWanted || !isCalm) {
          this.unwantedSince.delete(key);
          continue;
        }
        const since = this.unwantedSince.get(key) ?? this.world.now_ms;
        this.unwantedSince.set(key, since);
        const grace_ms = (container.config.StopTimeout ?? 10) * 1000;
        const runs_ms = this.world.now_ms - since;
        assert.ok(
          runs_ms < 2 * grace_ms + stop_ms_max,
          `${host.name} runs ${container.name} for ${runs_ms} ms though it is ${task?.DesiredState ?? 'no task any more'}`,
        );
      }
    }
  }
}

/** What a host's engine is called where trouble is remembered. */
export function engineOf(host: Host): string {
  return `engine of ${host.name}`;
}
