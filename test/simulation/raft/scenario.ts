import assert from 'node:assert/strict';
import { ShoalError } from '../../../src/model/errors.js';
import { seededRandom } from '../../../src/model/random.js';
import { promisesSettled, World } from '../world.js';
import { Ambushes } from './ambushes.js';
import { Clients } from './clients.js';
import { Faults } from './faults.js';
import { Group } from './group.js';
import { History } from './history.js';
import { Invariants } from './invariants.js';
import { memberOf, type Process } from './process.js';

export interface ScenarioResult {
  seed: number;
  steps: number;
  acknowledged: number;
  reads: number;
  terms: number;
  crashes: number;
  /** Members that found their disk damaged and did not start. */
  damages: number;
}

const faults_ms = 12_000;
/** A cluster whose faults are over is whole again within this time. */
const recovery_ms = 30_000;

/** A cluster, its clients, and everything that goes wrong: all of it follows from the seed. */
class Scenario {
  private readonly world: World;
  private readonly invariants = new Invariants();
  private readonly history = new History();
  private readonly group: Group;
  private readonly clients: Clients;
  private readonly faults: Faults;
  private readonly ambushes: Ambushes;

  constructor(private readonly seed: number) {
    this.world = new World(seededRandom(seed), promisesSettled);
    this.group = new Group(this.world, this.invariants);
    this.clients = new Clients(this.group, this.history, this.invariants);
    this.faults = new Faults(this.group);
    this.ambushes = new Ambushes(this.group, this.faults);
    this.world.check = () => this.check();
  }

  private check(): void {
    const { failure, processes } = this.group;
    if (failure !== undefined) throw failure;
    this.invariants.check(processes);
    this.ambushes.watch();
    if (this.world.steps % 500 === 0) this.invariants.checkLogMatching(processes);
  }

  async run(): Promise<ScenarioResult> {
    const { group, world, seed, history } = this;
    const size = world.pick([3, 3, 3, 5, 5, 7]) as number;
    const founders = Array.from({ length: size }, () => group.newProcess());
    for (const process of founders) process.start(founders.map(({ id }) => memberOf(id)));
    for (let client = 0; client < 4; client++) this.clients.start(client);
    this.faults.trouble();
    await world.run(faults_ms);
    await this.recover();
    return {
      seed,
      steps: world.steps,
      acknowledged: history.acknowledged,
      reads: history.readCount,
      terms: Math.max(...group.processes.map(({ core }) => core?.term ?? 0)),
      crashes: group.crashes,
      damages: group.spoilt?.damaged === true ? 1 : 0,
    };
  }

  /** No more faults: the cluster becomes whole again, and everyone agrees. */
  private async recover(): Promise<void> {
    const { group, world } = this;
    group.calm();
    const last = new Set<number>();
    this.finish(last).catch((error) => group.fail(error));
    await world.run(world.now_ms + recovery_ms, () => this.isWhole(last));
    assert.ok(this.isWhole(last), group.describe('the cluster did not recover'));
    this.history.check(group.leader?.machine?.items ?? []);
  }

  /** Starts whoever is down, and has every member take one more write; `last` are those that did. */
  private async finish(last: Set<number>): Promise<void> {
    const { group, world } = this;
    for (;;) {
      this.putBackWhatIsNeeded();
      for (const process of group.processes) {
        if (!process.running && !process.gone && !process.damaged) process.start();
      }
      await world.sleep(100);
      await this.removeDamaged();
      for (const { id, learner } of group.leader?.node?.status().members ?? []) {
        const process = group.processes[id - 1] as Process;
        if (learner || last.has(id) || process.node === undefined) continue;
        if (await this.clients.write(process, `last ${id}`)) last.add(id);
      }
    }
  }

  /**
   * A removal that was under way when the disk was spoilt may leave two voters, of whom one does not start: they can do nothing without
   * it, so that the operator puts a copy of its disk back. Larger groups must do without.
   */
  private putBackWhatIsNeeded(): void {
    const { processes, spoilt } = this.group;
    if (spoilt?.damaged !== true) return;
    const needed = processes.some(({ core }) => {
      const voters = core?.membership.voters ?? [];
      return voters.length === 2 && voters.some(({ id }) => id === spoilt.id);
    });
    if (needed) spoilt.putBack();
  }

  /** The operator takes a member away that does not start any more. */
  private async removeDamaged(): Promise<void> {
    const { leader, spoilt } = this.group;
    if (spoilt?.damaged !== true || leader?.node === undefined) return;
    await leader.node.removeMember(spoilt.id).catch((error) => {
      if (!(error instanceof ShoalError)) throw error;
    });
  }

  private isWhole(said: ReadonlySet<number>): boolean {
    const { leader, processes } = this.group;
    const core = leader?.core;
    if (core === undefined || core.membership.voters.length === 0 || core.membership.learners.length > 0) return false;
    return core.membership.voters.every(({ id }) => {
      return said.has(id) && processes[id - 1]?.core?.applied === core.lastIndex;
    });
  }
}

/** Runs the scenario of a seed. What goes wrong is thrown, with the seed in the message. */
export async function simulate(seed: number): Promise<ScenarioResult> {
  try {
    return await new Scenario(seed).run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`seed ${seed}: ${reason}\nreplay it: npm run simulate -- --seed ${seed}`, { cause: error });
  }
}
