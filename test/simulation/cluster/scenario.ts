import assert from 'node:assert/strict';
import { seededRandom } from '../../../src/model/random.js';
import type { Service } from '../../../src/model/types.js';
import type { View } from '../../../src/store/view.js';
import { World } from '../world.js';
import { CalmChanges } from './calm.js';
import { Cluster } from './cluster.js';
import { Faults } from './faults.js';
import type { Host } from './host.js';
import { notSettled, unevenness } from './settled.js';
import { Turns } from './turns.js';
import { User } from './user.js';
import { Wishes } from './wishes.js';

export interface ScenarioResult {
  seed: number;
  /** Of everything that happened, in order. */
  trace: string;
  /** Things that happened, in simulated time. */
  events: number;
  simulated_ms: number;
  entries: number;
  acknowledged: number;
  faults: number;
  containers: number;
  /** Tasks that were told to stop, and how many of those nothing could be said of as hosts were in trouble. */
  drains: number;
  excused: number;
  /** Tasks that came to run in place of others, and how many of those the turn of an update brought. */
  handovers: number;
  steps: number;
}

const faults_ms = 40_000;
/** Where users ask for everything, what counts is how many clusters differ: more of them for the same time. */
const faultsOfServices_ms = 15_000;
/** Everything is as declared within this time after the last fault: a minute past the stop grace is what a successor waits at most. */
const settle_ms_max = 150_000;
/** The longest that a node waits before it looks for its preferred manager is 45 s: then nothing may happen any more. */
const rest_ms = 50_000;
const rest_ms_max = 240_000;

/** A cluster, its users, and everything that goes wrong: all of it follows from the seed. */
class Scenario {
  private readonly world: World;
  private readonly cluster: Cluster;
  private readonly users: User[];
  private readonly faults: Faults;
  private readonly wishes: Wishes | undefined;
  private readonly calm: CalmChanges;
  private isQuiet = false;
  /** Users whose last change has no answer yet. */
  private acting = 0;

  constructor(
    private readonly seed: number,
    private readonly asksForAll: boolean,
    private readonly setsClocks: boolean,
    turns: Turns,
  ) {
    this.world = new World(seededRandom(seed), () => turns.settled());
    this.cluster = new Cluster(this.world, this.world.between(1, 4));
    const { trace, managers } = this.cluster;
    const wishes = asksForAll ? new Wishes(this.world) : undefined;
    this.wishes = wishes;
    this.calm = new CalmChanges(this.world, this.cluster, (what, ask) => this.once(what, ask));
    const wentBack = (service: Service) => this.cluster.checks.rollouts.wentBack(service);
    this.users = [0, 1].map(
      (at) => new User(this.world, trace, managers, [`a${at}`, `b${at}`], 8000 + 100 * at, at === 0, wishes, wentBack),
    );
    this.faults = new Faults(this.cluster, asksForAll, setsClocks);
  }

  async run(): Promise<ScenarioResult> {
    const { world, cluster } = this;
    await cluster.found();
    for (const user of this.users) this.keepActing(user);
    this.keepLooking();
    this.faults.begin();
    await world.run(world.now_ms + (this.asksForAll ? faultsOfServices_ms : faults_ms));
    await this.settle();
    if (this.setsClocks && this.wishes !== undefined) await this.calm.run(this.wishes);
    await this.rest();
    await this.spread();
    return {
      seed: this.seed,
      trace: cluster.trace.digest(),
      events: world.steps,
      simulated_ms: world.now_ms,
      entries: cluster.leader?.core?.lastIndex ?? 0,
      acknowledged: this.users.reduce((sum, user) => sum + user.acknowledged, 0),
      faults: this.faults.count,
      ...cluster.checks.counts,
      ...cluster.checks.rollouts.counts,
    };
  }

  private inBackground(work: () => Promise<void>): void {
    work().catch((error) => this.cluster.failed(error));
  }

  private keepActing(user: User): void {
    this.acting++;
    this.inBackground(async () => {
      const pace_ms = this.world.pick([600, 2_000, 6_000]) as number;
      while (!this.isQuiet) {
        await this.world.sleep(this.world.between(10, pace_ms));
        if (!this.isQuiet) await user.act();
      }
      this.acting--;
    });
  }

  private keepLooking(): void {
    this.world.after(1_000, () => {
      this.cluster.checks.checkWanted();
      this.keepLooking();
    });
  }

  /** Runs until the work is done, and fails when it is not within `limit_ms`. */
  private async within(limit_ms: number, what: string, work: () => Promise<boolean>): Promise<void> {
    let isDone = false;
    this.inBackground(async () => {
      while (!(await work())) await this.world.sleep(500);
      isDone = true;
    });
    await this.world.run(this.world.now_ms + limit_ms, () => isDone);
    assert.ok(isDone, `${what} within ${limit_ms} ms of simulated time`);
  }

  /** The faults are over: the cluster becomes what is declared. */
  private async settle(): Promise<void> {
    const { world, cluster, users } = this;
    this.faults.end();
    this.isQuiet = true;
    await this.within(60_000, 'no manager answered', async () => {
      const { leader } = cluster;
      return this.acting === 0 && leader !== undefined && (await (users[0] as User).openNodes(leader));
    });
    if (this.asksForAll) await this.repair();
    await this.looksLikeDeclared(settle_ms_max);
    const view = cluster.leader?.view;
    assert.ok(view !== undefined, 'nobody leads');
    for (const user of users) user.check(view);
    cluster.trace.add(`settled at ${world.now_ms}`);
  }

  private async once(failed: string, ask: (leader: Host, view: View) => Promise<boolean>): Promise<void> {
    await this.within(60_000, failed, async () => {
      const { leader } = this.cluster;
      return leader?.view !== undefined && (await ask(leader, leader.view));
    });
    await this.looksLikeDeclared(settle_ms_max);
  }

  /** What fails by itself would never come to rest. */
  private async repair(): Promise<void> {
    await this.within(60_000, 'a service could not be repaired', async () => {
      const { leader } = this.cluster;
      if (leader === undefined) return false;
      const repaired = await Promise.all(this.users.map((user) => user.repair(leader)));
      return repaired.every((each) => each);
    });
  }

  private async looksLikeDeclared(limit_ms: number): Promise<void> {
    const until_ms = this.world.now_ms + limit_ms;
    for (;;) {
      const lack = notSettled(this.cluster);
      if (lack === undefined) return;
      assert.ok(this.world.now_ms < until_ms, `not settled after ${limit_ms} ms: ${lack}`);
      await this.world.run(this.world.now_ms + 500);
    }
  }

  /** And then nothing changes any more: no entry, nothing asked of an engine but how it is. */
  private async rest(): Promise<void> {
    const { world } = this;
    const until_ms = world.now_ms + rest_ms_max;
    for (let since_ms = world.now_ms, before = this.activity(); world.now_ms - since_ms < rest_ms; ) {
      await world.run(world.now_ms + 1_000);
      const now = this.activity();
      if (now === before) continue;
      assert.ok(world.now_ms < until_ms, `it does not come to rest: ${before}, then ${now}`);
      [since_ms, before] = [world.now_ms, now];
    }
    const lack = notSettled(this.cluster);
    assert.equal(lack, undefined, `it was settled, and then: ${lack}`);
  }

  private activity(): string {
    const entries = this.cluster.leader?.core?.lastIndex ?? 0;
    const calls = this.cluster.hosts.map(({ engine: { counts } }) =>
      (['create', 'start', 'stop', 'remove', 'pull'] as const).reduce((sum, call) => sum + (counts.get(call) ?? 0), 0),
    );
    return `${entries} entries, ${calls} calls`;
  }

  /** A service that comes now is spread evenly. */
  private async spread(): Promise<void> {
    const { cluster } = this;
    await this.calm.create('last', 2 * cluster.hosts.length + 1);
    const view = cluster.leader?.view;
    assert.ok(view !== undefined && unevenness(view, 'last') <= 1, 'a new service is spread unevenly');
  }
}

/**
 * Runs the scenario of a seed. What goes wrong is thrown, with the seed in the message. `asksForAll`: users ask for everything that
 * a service can be, jobs and constraints included, where else they keep to the parts that traffic needs. `setsClocks`: clocks are set
 * besides, and when all has come to rest some changes are made one after the other.
 */
export async function simulate(seed: number, asksForAll = false, setsClocks = false): Promise<ScenarioResult> {
  const turns = new Turns();
  try {
    return await new Scenario(seed, asksForAll, setsClocks, turns).run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `seed ${seed}: ${reason}\nreplay it: npm run simulate -- ${setsClocks ? 'clocks' : asksForAll ? 'services' : 'cluster'} --seed ${seed}`,
      { cause: error },
    );
  } finally {
    turns.giveBack();
  }
}
