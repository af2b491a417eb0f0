import type { GenericResource, TaskSpec } from '../model/types.js';
import { type NodeClass, NodeClasses, steadyDemands } from './class.js';
import { type Demand, demandOf } from './demand.js';
import { explain, explainOnly } from './explain.js';
import { type Filter, fillingFilters, filtersOf } from './filters.js';
import type { Candidate, Fleet } from './fleet.js';
import { failuresUntilAvoided, type Group, type Placement, type Wanted } from './group.js';
import { type GroupState, HeapPicker, type Picker, SharedPicker } from './pickers.js';
import { spreadOf } from './spread.js';
import { SpreadPicker } from './spread-picker.js';

/** A group this many times smaller than its class picks from the class's shared heap instead of building its own. */
const smallGroup = 4;

/**
 * Chooses a node for every task of a wave, or says why there is none. Uses up `fleet`: what was placed is booked on it. Tasks of a
 * service are spread evenly over the nodes that can take them (nested spread preferences first), then nodes are filled evenly.
 * Groups with the least choice of nodes go first, so that those with more choice fill in around them. The cost grows
 * with tasks × log(nodes), plus nodes for every different set of demands.
 */
export function place(fleet: Fleet, groups: readonly Group[]): Placement {
  const classes = new NodeClasses(fleet);
  const order = groups.map((group) => ({ group, nodes: classes.of(group.spec), weight: weightOf(group.spec) }));
  order.sort((a, b) => a.nodes.candidates.length - b.nodes.candidates.length || b.weight - a.weight);
  const placement: Placement = { placed: new Map(), unplaced: new Map() };
  const unfinished: GroupPlacement[] = [];
  const split = severalGroupsOf(groups);
  // One at a time and then forgotten: there may be a hundred thousand.
  for (const { group, nodes } of order) {
    const one = new GroupPlacement(fleet, nodes, withPlaced(group, split.get(group.serviceID)));
    one.run(placement);
    split.get(group.serviceID)?.push(...placedOf(group, placement));
    if (one.hasRest) unfinished.push(one);
  }
  const explained = new Map<string, string>();
  for (const one of unfinished) one.explainRest(placement, explained);
  return placement;
}

/** Services of which tasks of several specs need nodes, to note where those of the groups that are done went. */
function severalGroupsOf(groups: readonly Group[]): Map<string, string[]> {
  const seen = new Set<string>();
  const several = new Map<string, string[]>();
  for (const { serviceID } of groups) {
    if (seen.has(serviceID)) several.set(serviceID, []);
    seen.add(serviceID);
  }
  return several;
}

function placedOf({ wanted }: Group, { placed }: Placement): string[] {
  return wanted.flatMap(({ id }) => placed.get(id)?.nodeID ?? []);
}

function withPlaced(group: Group, nodeIDs: readonly string[] = []): Group {
  if (nodeIDs.length === 0) return group;
  const running = new Map(group.running);
  for (const nodeID of nodeIDs) running.set(nodeID, (running.get(nodeID) ?? 0) + 1);
  return { ...group, running };
}

/** What a task takes: large ones go before small ones that could fill the gaps. */
function weightOf(spec: TaskSpec): number {
  const reserved = spec.Resources?.Reservations;
  return (reserved?.NanoCPUs ?? 0) / 1e9 + (reserved?.MemoryBytes ?? 0) / 2 ** 30;
}

class GroupPlacement implements GroupState {
  readonly #fleet: Fleet;
  readonly #nodes: NodeClass;
  readonly #group: Group;
  readonly #demand: Demand;
  readonly #filling: readonly Filter[]; // those that turn to no as nodes fill up
  readonly #running = new Map<Candidate, number>();
  readonly #leaving = new Map<Candidate, number>();
  readonly #failures = new Map<Candidate, number>();
  readonly #rest: Wanted[] = [];

  constructor(fleet: Fleet, nodes: NodeClass, group: Group) {
    this.#fleet = fleet;
    this.#nodes = nodes;
    this.#group = group;
    this.#demand = demandOf(group.spec);
    this.#filling = fillingFilters(group.spec);
    for (const [nodeID, count] of group.running) this.#touch(this.#running, nodeID, count);
    for (const [nodeID, count] of group.leaving) this.#touch(this.#leaving, nodeID, count);
    for (const [nodeID, count] of group.failures) {
      if (count >= failuresUntilAvoided) this.#touch(this.#failures, nodeID, count);
    }
  }

  /** Whether some of its tasks have no node. */
  get hasRest(): boolean {
    return this.#rest.length > 0;
  }

  run(placement: Placement): void {
    const free: Wanted[] = [];
    for (const wanted of this.#group.wanted) {
      if (wanted.onlyNodeID === undefined) free.push(wanted);
      else this.#settle(wanted, this.#onlyNode(wanted.onlyNodeID), placement);
    }
    if (free.length === 0) return;
    const picker = this.#picker(free.length);
    for (const wanted of free) {
      const preferredID = wanted.preferredNodeID ?? '';
      const preferred = preferredID === '' ? undefined : this.#fleet.get(preferredID);
      const usable = preferred !== undefined && this.#nodes.has(preferred) ? preferred : undefined;
      this.#settle(wanted, picker.next(usable), placement);
    }
    picker.done();
  }

  /** Says why for what is left, as things are at the end of the wave; tasks that ask the same share one answer. */
  explainRest(placement: Placement, explained: Map<string, string>): void {
    const filters = filtersOf(this.#group.spec, this.#fleet);
    const present = (candidate: Candidate) => this.#presentOn(candidate);
    const alone = this.#running.size + this.#leaving.size > 0 ? this.#group.serviceID : '';
    const limit = this.#group.spec.Placement?.MaxReplicas ?? 0;
    const key = JSON.stringify([steadyDemands(this.#group.spec, this.#fleet), this.#demand, limit, alone]);
    let reason = explained.get(key);
    if (reason === undefined) {
      reason = explain(this.#fleet.candidates, filters, present);
      explained.set(key, reason);
    }
    for (const { id, onlyNodeID } of this.#rest) {
      const only = onlyNodeID === undefined ? undefined : this.#fleet.get(onlyNodeID);
      placement.unplaced.set(id, only === undefined ? reason : explainOnly(only, filters, present(only)));
    }
  }

  fits(candidate: Candidate): boolean {
    const present = this.#presentOn(candidate);
    return this.#filling.every((filter) => filter.passes(candidate, present));
  }

  runningOn(candidate: Candidate): number {
    return this.#running.get(candidate) ?? 0;
  }

  failuresOn(candidate: Candidate): number {
    return this.#failures.get(candidate) ?? 0;
  }

  occupied(): Iterable<Candidate> {
    return this.#running.keys();
  }

  #picker(tasks: number): Picker {
    const spread = spreadOf(this.#group.spec);
    if (spread !== undefined) return new SpreadPicker(this.#nodes.spreadOver(spread), this);
    const touched = tasks + this.#running.size + this.#failures.size;
    if (touched * smallGroup < this.#nodes.candidates.length) return new SharedPicker(this.#nodes, this);
    return new HeapPicker(this.#nodes.candidates, this);
  }

  #onlyNode(nodeID: string): Candidate | undefined {
    const candidate = this.#fleet.get(nodeID);
    return candidate !== undefined && this.#nodes.has(candidate) && this.fits(candidate) ? candidate : undefined;
  }

  #settle(wanted: Wanted, chosen: Candidate | undefined, placement: Placement): void {
    if (chosen !== undefined) {
      const generic = chosen.claim(this.#demand);
      this.#put(wanted, chosen, generic, placement);
    } else if (!this.#placeWherePredecessorEnds(wanted, placement)) {
      this.#rest.push(wanted);
    }
  }

  /** Nothing is free, but on the node of the task it replaces there will be when that one has stopped, which it waits for. */
  #placeWherePredecessorEnds(wanted: Wanted, placement: Placement): boolean {
    const predecessor = wanted.replaces;
    const candidate = predecessor === undefined ? undefined : this.#fleet.get(predecessor.NodeID);
    if (predecessor === undefined || candidate === undefined || !this.#nodes.has(candidate)) return false;
    const leaving = this.#leaving.get(candidate) ?? 0;
    candidate.release(predecessor);
    this.#leaving.set(candidate, leaving - 1);
    const fits = this.fits(candidate);
    const generic = fits ? candidate.claim(this.#demand) : [];
    this.#leaving.set(candidate, leaving);
    candidate.hold(predecessor);
    if (fits) this.#put(wanted, candidate, generic, placement);
    return fits;
  }

  #put(wanted: Wanted, candidate: Candidate, generic: GenericResource[], placement: Placement): void {
    this.#running.set(candidate, this.runningOn(candidate) + 1);
    placement.placed.set(wanted.id, { nodeID: candidate.node.ID, generic });
  }

  #presentOn(candidate: Candidate): number {
    return this.runningOn(candidate) + (this.#leaving.get(candidate) ?? 0);
  }

  #touch(counts: Map<Candidate, number>, nodeID: string, count: number): void {
    const candidate = this.#fleet.get(nodeID);
    if (candidate !== undefined && count > 0) counts.set(candidate, count);
  }
}
