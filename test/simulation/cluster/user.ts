import assert from 'node:assert/strict';
import { type Clock, timestamp } from '../../../src/model/clock.js';
import { ShoalError } from '../../../src/model/errors.js';
import { newID } from '../../../src/model/ids.js';
import type { Node, OperationInit, Service, ServiceSpec } from '../../../src/model/types.js';
import type { View } from '../../../src/store/view.js';
import { processClock, type World } from '../world.js';
import type { Host } from './host.js';
import { Specs } from './specs.js';
import type { Trace } from './trace.js';
import { failsByItself, isJob, type Wishes } from './wishes.js';

/** A client gives up on a daemon that does not answer after this long. */
const answer_ms_max = 12_000;

type Outcome = 'acknowledged' | 'refused' | 'unknown';

/** What is known of one service's fate from the answers so far. */
interface Fate {
  /** Number of the last acknowledged change; 0 when the last acknowledged thing was its removal, or there was none. */
  acknowledged: number;
  /** Id of the service that it was. */
  id: string;
  /** Changes without an answer that may show all the same. */
  possible: Map<number, 'create' | 'update'>;
  /** Ids of services whose removal is of unknown fate. */
  removing: Set<string>;
}

/** Who declares, changes and takes back; and remembers what was promised. */
export class User {
  private readonly fates = new Map<string, Fate>();
  private readonly availabilities = new Map<string, Set<string>>();
  private said = 0;
  acknowledged = 0;
  private readonly clock: Clock;
  private readonly specs: Specs;

  constructor(
    private readonly world: World,
    private readonly trace: Trace,
    private readonly hosts: readonly Host[],
    private readonly names: readonly string[],
    firstPort: number,
    /** Whether it drains and pauses nodes; one user only does. */
    private readonly movesNodes: boolean,
    /** What it asks for besides; undefined: what it always did, so that the seeds that found something find it again. */
    private readonly wishes?: Wishes,
    /** Whether the service is what it went back to by itself: a node that comes back later is updated to that, too. */
    private readonly wentBack: (service: Service) => boolean = () => false,
  ) {
    this.clock = processClock(world, 1, () => true);
    this.specs = new Specs(world, names, firstPort, wishes);
    for (const name of names)
      this.fates.set(name, { acknowledged: 0, id: '', possible: new Map(), removing: new Set() });
  }

  /** One change, from asking to the answer. */
  async act(): Promise<void> {
    const host = this.world.pick(this.hosts.filter(({ manager }) => manager !== undefined));
    const view = await this.read(host);
    if (host === undefined || view?.cluster() === undefined) return;
    if (this.movesNodes && this.world.oneIn(this.wishes === undefined ? 6 : 3)) return this.moveNode(host, view);
    const name = this.world.pick(this.names) as string;
    const service = view.byName('Service', name);
    this.checkFate(name, service);
    if (service === undefined) await this.create(host, name);
    else if (this.world.oneIn(8)) await this.remove(host, service);
    else if (this.wishes !== undefined && service.PreviousSpec !== null && this.world.oneIn(4))
      await this.rollBack(host, service);
    else await this.update(host, service);
  }

  /** What was acknowledged is there, and nothing is that nobody asked for. */
  check(view: View): void {
    for (const name of this.names) this.checkFate(name, view.byName('Service', name));
    for (const [nodeID, possible] of this.availabilities) {
      const now = view.get('Node', nodeID)?.Spec?.Availability ?? '';
      assert.ok(possible.has(now), `node ${nodeID} is ${now}, it was made ${[...possible].join(' or ')}`);
    }
  }

  /** Gives up pausing and drains no more nodes than leave one: so that what is declared can be. True once all is acknowledged. */
  async openNodes(host: Host): Promise<boolean> {
    const view = await this.read(host);
    if (view === undefined) return false;
    const nodes = [...view.list('Node')];
    const closed = nodes.filter(({ Spec }) => Spec?.Availability === 'pause');
    if (nodes.every(({ Spec }) => Spec?.Availability !== 'active')) closed.push(nodes[0] as Node);
    for (const node of closed) await this.setAvailability(host, node, 'active');
    return closed.length === 0;
  }

  /** Gives services that fail by themselves something sound to run. True once none does. */
  async repair(host: Host): Promise<boolean> {
    const view = await this.read(host);
    if (view === undefined) return false;
    const broken = this.names
      .map((name) => view.byName('Service', name))
      .filter((one) => failsByItself(one?.Spec ?? null));
    for (const service of broken) await this.update(host, service as Service, true);
    return broken.length === 0;
  }

  private checkFate(name: string, service: Service | undefined): void {
    const { acknowledged, id, possible, removing } = this.fates.get(name) as Fate;
    if (service === undefined) {
      assert.ok(acknowledged === 0 || removing.has(id), `${name} is gone, change ${acknowledged} was acknowledged`);
      return;
    }
    if (service.UpdateStatus?.State.startsWith('rollback') || this.wentBack(service)) return; // it shows what was before
    const change = Number(service.Spec?.Labels.change);
    const isKnown = (acknowledged !== 0 && change === acknowledged) || possible.has(change);
    assert.ok(isKnown, `${name} shows change ${change}, the last that was acknowledged is ${acknowledged}`);
  }

  private async create(host: Host, name: string): Promise<void> {
    const fate = this.fates.get(name) as Fate;
    const change = ++this.said;
    const Spec = this.specs.made(name, this.specs.mode(), change);
    const JobStatus = isJob(Spec) ? { JobIteration: { Index: 0 } } : null;
    const Service = { ID: newID(this.world.random), Spec, Endpoint: {}, JobStatus };
    fate.possible.set(change, 'create');
    const outcome = await this.propose(host, { Action: 'create', Service });
    this.learn(fate, outcome, change, Service.ID);
  }

  /** What was acknowledged comes after updates of unknown fate: they name a version that is no more. A creation may still come. */
  private learn(fate: Fate, outcome: Outcome, change: number, id: string): void {
    if (outcome !== 'unknown') fate.possible.delete(change);
    if (outcome !== 'acknowledged') return;
    fate.acknowledged = change;
    fate.id = id;
    for (const [other, kind] of fate.possible) if (kind === 'update') fate.possible.delete(other);
  }

  private async update(host: Host, service: Service, isRepair = false): Promise<void> {
    const fate = this.fates.get(service.Spec?.Name ?? '') as Fate;
    const change = ++this.said;
    const Spec = this.specs.changed(service.Spec as ServiceSpec, change, isRepair);
    const JobStatus = nextRun(service);
    fate.possible.set(change, 'update');
    const outcome = await this.propose(host, {
      Action: 'update',
      ExpectedVersion: service.Version?.Index ?? 0,
      Service: { ...service, Spec, PreviousSpec: service.Spec, UpdateStatus: null, JobStatus },
    });
    this.learn(fate, outcome, change, service.ID);
  }

  /** As the API does it: what is shown then is the change before. */
  private async rollBack(host: Host, service: Service): Promise<void> {
    const fate = this.fates.get(service.Spec?.Name ?? '') as Fate;
    const change = Number(service.PreviousSpec?.Labels.change);
    const UpdateStatus = { State: 'rollback_started', StartedAt: timestamp(this.clock) };
    const JobStatus = nextRun(service);
    fate.possible.set(change, 'update');
    const outcome = await this.propose(host, {
      Action: 'update',
      ExpectedVersion: service.Version?.Index ?? 0,
      Service: {
        ...service,
        Spec: service.PreviousSpec,
        PreviousSpec: service.Spec,
        UpdateStatus: JobStatus === null ? UpdateStatus : null,
        JobStatus,
      },
    });
    this.learn(fate, outcome, change, service.ID);
  }

  private async remove(host: Host, service: Service): Promise<void> {
    const fate = this.fates.get(service.Spec?.Name ?? '') as Fate;
    fate.removing.add(service.ID);
    const outcome = await this.propose(host, { Action: 'remove', Kind: 'Service', ID: service.ID });
    if (outcome !== 'unknown') fate.removing.delete(service.ID);
    if (outcome === 'acknowledged') fate.acknowledged = 0;
  }

  private async moveNode(host: Host, view: View): Promise<void> {
    const node = this.world.pick([...view.list('Node')]) as Node;
    if (this.wishes !== undefined && this.world.oneIn(2)) return this.setLabels(host, node, this.wishes.labels());
    await this.setAvailability(host, node, this.world.pick(['active', 'active', 'pause', 'drain']) as string);
  }

  private async setLabels(host: Host, node: Node, Labels: Record<string, string>): Promise<void> {
    await this.propose(host, {
      Action: 'update',
      ExpectedVersion: node.Version?.Index ?? 0,
      Node: { ...node, Spec: { ...node.Spec, Labels } },
    });
  }

  private async setAvailability(host: Host, node: Node, Availability: string): Promise<void> {
    const before = this.availabilities.get(node.ID) ?? new Set([node.Spec?.Availability ?? '']);
    this.availabilities.set(node.ID, new Set(before).add(Availability));
    const outcome = await this.propose(host, {
      Action: 'update',
      ExpectedVersion: node.Version?.Index ?? 0,
      Node: { ...node, Spec: { ...node.Spec, Availability } },
    });
    if (outcome === 'acknowledged') this.availabilities.set(node.ID, new Set([Availability]));
    if (outcome === 'refused') this.availabilities.set(node.ID, before);
  }

  private async read(host: Host | undefined): Promise<View | undefined> {
    if (host?.manager === undefined) return undefined;
    return this.answer(
      host.manager.read().catch((error) => {
        if (!(error instanceof ShoalError)) throw error;
        return undefined;
      }),
    );
  }

  private async propose(host: Host, operation: OperationInit): Promise<Outcome> {
    const proposed = host.propose({ Operations: [operation], Origin: 'api', Time: timestamp(this.clock) }).then(
      (): Outcome => 'acknowledged',
      (error): Outcome => {
        if (!(error instanceof ShoalError)) throw error;
        return error.code === 'unavailable' ? 'unknown' : 'refused';
      },
    );
    const outcome = (await this.answer(proposed)) ?? 'unknown';
    if (outcome === 'acknowledged') this.acknowledged++;
    const { Action, Service: service, Node: node } = operation;
    this.trace.add(`user: ${Action} ${service?.Spec?.Name ?? node?.ID ?? operation.ID} ${this.said}: ${outcome}`);
    return outcome;
  }

  /** A daemon that dies leaves its clients without an answer. */
  private answer<T>(work: Promise<T>): Promise<T | undefined> {
    return Promise.race([work, this.world.sleep(answer_ms_max).then(() => undefined)]);
  }
}

/** Every change of a job runs it anew. */
function nextRun({ JobStatus }: Service) {
  const iteration = JobStatus?.JobIteration;
  return iteration ? { JobIteration: { Index: iteration.Index + 1 } } : null;
}
