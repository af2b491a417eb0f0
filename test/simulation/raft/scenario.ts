import assert from 'node:assert/strict';
import { ShoalError } from '../../../src/model/errors.js';
import { seededRandom } from '../../../src/model/random.js';
import { World } from '../world.js';
import { History } from './history.js';
import { Invariants } from './invariants.js';
import { Network } from './network.js';
import { memberOf, Process } from './process.js';

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

/** How a run is, as a whole; runs that are bad at everything get nowhere. */
interface Profile {
  /** The longest time without something new going wrong. */
  calm_ms: number;
  /** How often members come and go, compared with other trouble. */
  churn: number;
  /** Messages in 1000 that come much too late. */
  stragglerRate: number;
  /** The largest append, in bytes: a small one splits what belongs together. */
  maxAppendBytes: number;
  /** A snapshot may take many messages, or one. */
  snapshotChunkBytes: number;
  /** The largest text that is written. */
  textBytes: number;
  /** In 100: leaders that die just after they were elected, when little is decided and much is under way. */
  stillbirths: number;
  /** The longest that a process stays down. */
  downtime_ms: number;
  /** Members time out together, so that there are often several candidates; those who vote for one of them may die of it. */
  duels: boolean;
}

function drawProfile(world: World): Profile {
  const textBytes = world.pick([0, 0, 2000, 8000]) as number;
  // Many messages, and yet not so many that they alone take longer than a recovery may.
  const snapshotChunkBytes = world.oneIn(3) ? 1024 * 1024 : textBytes === 0 ? 100 : 4000;
  return {
    calm_ms: world.pick([300, 1000, 3000]) as number,
    churn: world.pick([1, 1, 6]) as number,
    stragglerRate: world.pick([0, 0, 20, 100]) as number,
    maxAppendBytes: world.pick([1, 100, 1024 * 1024]) as number,
    snapshotChunkBytes,
    textBytes,
    stillbirths: world.pick([0, 0, 50, 90]) as number,
    downtime_ms: world.pick([20, 1000, 3000]) as number,
    duels: world.oneIn(4),
  };
}

/** A cluster, its clients, and everything that goes wrong: all of it follows from the seed. */
class Scenario {
  private readonly world: World;
  private readonly network: Network;
  private readonly invariants = new Invariants();
  private readonly history = new History();
  private readonly processes: Process[] = [];
  private failure: unknown;
  private quiet = false;
  private crashes = 0;
  private spoilt: Process | undefined;
  private said = 0;
  private readonly profile: Profile;

  constructor(private readonly seed: number) {
    this.world = new World(seededRandom(seed));
    this.network = new Network(this.world);
    this.profile = drawProfile(this.world);
    this.network.stragglerRate = this.profile.stragglerRate;
    this.world.check = () => this.check();
  }

  private check(): void {
    if (this.failure !== undefined) throw this.failure;
    const observed = this.processes.flatMap(({ id, core }) => (core === undefined ? [] : [{ id, core }]));
    this.invariants.check(observed);
    this.watchLeaders();
    if (this.profile.duels) this.watchDuels();
    if (this.world.steps % 500 === 0) this.invariants.checkLogMatching(observed);
  }

  private newestTerm = 0;

  private doomed: { process: Process; messages: number } | undefined;

  /** Some leaders die, or are cut off, within the first messages of their term. */
  private watchLeaders(): void {
    if (this.quiet) return;
    const { leader, doomed } = this;
    if (doomed !== undefined && (this.network.delivered.get(doomed.process.id) ?? 0) >= doomed.messages) {
      this.doomed = undefined;
      if (doomed.process.running) this.strike(doomed.process);
    }
    const term = leader?.core?.term ?? 0;
    if (leader === undefined || term <= this.newestTerm) return;
    this.newestTerm = term;
    if (this.world.random.below(100) >= this.profile.stillbirths) return;
    const messages = (this.network.delivered.get(leader.id) ?? 0) + this.world.between(0, 10);
    this.doomed = { process: leader, messages };
  }

  private strike(process: Process): void {
    if (this.world.oneIn(3)) {
      this.crashes++;
      process.crash();
      this.restartLater(process);
      return;
    }
    // What it has just sent is lost with it.
    this.world.after(this.world.between(100, 4000), this.cutOff(new Set([process.id])));
  }

  private duelTerm = 0;

  private watchDuels(): void {
    if (this.quiet) return;
    const candidates = this.processes.filter(({ core }) => core?.role === 'candidate');
    const term = Math.max(0, ...candidates.map(({ core }) => core?.term ?? 0));
    if (candidates.length < 2 || term <= this.duelTerm) return;
    this.duelTerm = term;
    // They do not hear of each other, and what they ask for comes again when it may have been forgotten.
    this.network.duplicateRate = 500;
    this.network.maxDelay_ms = 80;
    const links = candidates.flatMap((from) => candidates.map((to): [number, number] => [from.id, to.id]));
    this.world.after(400, this.network.cutAll(links));
    this.world.after(this.world.between(0, 60), () => {
      const voter = this.world.pick(
        this.processes.filter(({ core }) => core?.role === 'follower' && core.term === term),
      );
      if (voter === undefined || this.quiet) return;
      this.crashes++;
      voter.crash();
      this.world.after(this.world.between(1, 10), () => !voter.running && !voter.gone && voter.start());
    });
  }

  /** Cuts these off from all others; the result mends it. */
  private cutOff(side: ReadonlySet<number>, oneWay = false): () => void {
    const ids = this.processes.map(({ id }) => id);
    const links = ids.flatMap((from) => ids.map((to): [number, number] => [from, to]));
    return this.network.cutAll(
      links.filter(([from, to]) => side.has(from) !== side.has(to) && !(oneWay && side.has(to))),
    );
  }

  private newProcess(): Process {
    const id = this.processes.length + 1;
    const fail = (error: unknown) => {
      this.failure ??= error;
    };
    const process = new Process(id, this.world, this.network, this.invariants, fail);
    process.maxAppendBytes = this.profile.maxAppendBytes;
    process.snapshotChunkBytes = this.profile.snapshotChunkBytes;
    process.timeoutSpread = this.profile.duels ? 2 : 10;
    process.rate = this.world.between(90, 110) / 100;
    this.processes.push(process);
    return process;
  }

  async run(): Promise<ScenarioResult> {
    const size = this.world.pick([3, 3, 3, 5, 5, 7]) as number;
    const founders = Array.from({ length: size }, () => this.newProcess());
    for (const process of founders) process.start(founders.map(({ id }) => memberOf(id)));
    for (let client = 0; client < 4; client++) this.client(client);
    this.trouble();
    await this.world.run(faults_ms);
    await this.recover();
    const terms = Math.max(...this.processes.map(({ core }) => core?.term ?? 0));
    const { seed, history, crashes } = this;
    return {
      seed,
      steps: this.world.steps,
      acknowledged: history.acknowledged,
      reads: history.readCount,
      terms,
      crashes,
      damages: this.spoilt?.damaged === true ? 1 : 0,
    };
  }

  /** Appends and reads through any member, one operation after the other. */
  private client(number: number): void {
    const next = async () => {
      for (;;) {
        await this.world.sleep(this.world.between(5, 120));
        if (this.quiet) return;
        const process = this.world.pick(this.processes.filter(({ node }) => node !== undefined));
        if (process === undefined) continue;
        if (this.world.oneIn(3)) await this.read(process);
        else await this.append(process, this.text(number));
      }
    };
    next().catch((error) => {
      this.failure ??= error;
    });
  }

  /** Never the same twice. */
  private text(number: number): string {
    const padding = this.profile.textBytes === 0 ? 0 : this.world.random.below(this.profile.textBytes);
    return `${number}.${++this.said}${'-'.repeat(padding)}`;
  }

  private async append(process: Process, text: string): Promise<boolean> {
    const append = this.history.began(text, this.world.now_ms);
    // A process that dies leaves its clients without an answer.
    const outcome = await Promise.race([
      (process.node as NonNullable<typeof process.node>).propose(Buffer.from(text)).then(
        ({ result }) => ({ kind: 'acknowledged', place: result as number }) as const,
        (error) => ({ kind: 'failed', error }) as const,
      ),
      this.world.sleep(8000).then(() => ({ kind: 'hung' }) as const),
    ]);
    if (outcome.kind === 'acknowledged') {
      this.history.ended(append, this.world.now_ms, 'acknowledged', outcome.place);
      return true;
    }
    if (outcome.kind === 'failed') {
      if (!(outcome.error instanceof ShoalError)) throw outcome.error;
      const refused = outcome.error.code === 'no-leader' || outcome.error.code === 'overloaded';
      this.history.ended(append, this.world.now_ms, refused ? 'refused' : 'unknown');
    } else {
      assert.ok(!process.running || this.world.now_ms > 8000, 'a proposal hung on a process that runs');
    }
    return false;
  }

  private async read(process: Process): Promise<void> {
    const start_ms = this.world.now_ms;
    const { machine, node } = process;
    const done = await Promise.race([
      (node as NonNullable<typeof node>).readBarrier().then(
        () => machine?.items.length,
        (error) => {
          if (!(error instanceof ShoalError)) throw error;
          return undefined;
        },
      ),
      this.world.sleep(8000).then(() => undefined),
    ]);
    if (done !== undefined) this.history.read(start_ms, this.world.now_ms, done);
  }

  /** Something goes wrong, every now and then. */
  private trouble(): void {
    if (this.quiet) return;
    this.world.after(this.world.between(50, this.profile.calm_ms), () => {
      if (this.quiet) return;
      const kinds = [
        () => this.crashOne(),
        () => this.crashOne(),
        () => this.partition(),
        () => this.partition(),
        () => this.badNetwork(),
        () => this.badDisk(),
        () => this.fullDisk(),
        () => this.transfer(),
        () => this.jumpClock(),
        () => this.flipBit(),
        ...Array.from({ length: this.profile.churn }, () => () => this.join()),
        ...Array.from({ length: this.profile.churn }, () => () => this.leave()),
        () => this.splitAndShrink(),
        () => this.stopOne(),
        () => this.crashAll(),
      ];
      this.world.pick(kinds)?.();
      this.trouble();
    });
  }

  private restartLater(process: Process): void {
    this.world.after(this.world.between(1, this.profile.downtime_ms), () => {
      if (this.quiet || process.gone || process.running || process.damaged) return;
      process.start();
      // It may give up at once, on a full disk.
      this.restartLater(process);
    });
  }

  private crashOne(): void {
    const process = this.world.pick(this.processes.filter(({ running }) => running));
    if (process === undefined) return;
    this.crashes++;
    process.crash();
    this.restartLater(process);
  }

  private crashAll(): void {
    if (!this.world.oneIn(4)) return;
    for (const process of this.processes.filter(({ running }) => running)) {
      this.crashes++;
      process.crash();
      this.restartLater(process);
    }
  }

  private stopOne(): void {
    const process = this.world.pick(this.processes.filter(({ node }) => node !== undefined));
    if (process === undefined) return;
    process.stop(this.world.oneIn(2)).then(
      () => this.restartLater(process),
      (error) => {
        this.failure ??= error;
      },
    );
  }

  private partition(): void {
    const side = new Set(this.processes.filter(() => this.world.oneIn(2)).map(({ id }) => id));
    this.world.after(this.world.between(100, 4000), this.cutOff(side, this.world.oneIn(3)));
  }

  /** A leader that is cut off with a minority removes members of the majority, one request right after the other. */
  private splitAndShrink(): void {
    const { leader } = this;
    const voters = leader?.core?.membership.voters ?? [];
    if (leader === undefined || voters.length < 3 || this.spoilt !== undefined) return;
    const others = voters.map(({ id }) => id).filter((id) => id !== leader.id);
    const near = new Set([leader.id, ...others.slice(0, Math.floor((voters.length - 1) / 2))]);
    const mend = this.cutOff(near);
    for (const id of others.filter((other) => !near.has(other))) this.change(leader.node?.removeMember(id));
    this.world.after(this.world.between(1000, 4000), mend);
  }

  private badNetwork(): void {
    this.network.dropRate = this.world.between(0, 200);
    this.network.duplicateRate = this.world.between(0, 100);
    this.network.maxDelay_ms = this.world.pick([2, 5, 20, 100, 400]) as number;
  }

  private badDisk(): void {
    const process = this.world.pick(this.processes) as Process;
    process.diskDelay_ms = this.world.pick([1, 2, 5, 50, 500]) as number;
  }

  private fullDisk(): void {
    const process = this.world.pick(this.processes) as Process;
    process.disk.faults.capacity = this.world.between(0, 4000);
    this.world.after(this.world.between(200, 3000), () => {
      process.disk.faults.capacity = Number.POSITIVE_INFINITY;
    });
  }

  private jumpClock(): void {
    const { jumps } = this.world.pick(this.processes) as Process;
    jumps.wall_ms += this.world.between(-3_600_000, 3_600_000);
    jumps.monotonic_ms += this.world.pick([0, 100, 1000, 20_000]) as number;
  }

  /** At most one disk of a run: what most members have lost, nobody can bring back. */
  private flipBit(): void {
    const voters = this.leader?.core?.membership.voters ?? [];
    const down = this.processes.filter(
      ({ id, running, gone }) => !running && !gone && voters.some((one) => one.id === id),
    );
    if (voters.length < 3 || this.spoilt !== undefined) return;
    const process = this.world.pick(down);
    process?.flipBit();
    if (process?.spoilt === true) this.spoilt = process;
  }

  /** The operator takes a member away that does not start any more. */
  private async removeDamaged(): Promise<void> {
    const { leader, spoilt } = this;
    if (spoilt?.damaged !== true || leader?.node === undefined) return;
    await leader.node.removeMember(spoilt.id).catch((error) => {
      if (!(error instanceof ShoalError)) throw error;
    });
  }

  private get leader(): Process | undefined {
    return this.processes
      .filter(({ core }) => core?.role === 'leader')
      .sort((left, right) => (right.core?.term ?? 0) - (left.core?.term ?? 0))[0];
  }

  /** Whatever a change of members comes to is fine; that it is not half done, the checks see. */
  private change(work: Promise<void> | undefined): void {
    work?.catch((error) => {
      if (!(error instanceof ShoalError)) this.failure ??= error;
    });
  }

  /** There, and often back again. */
  private transfer(): void {
    const { leader } = this;
    this.change(leader?.node?.transferLeadership());
    if (leader === undefined || this.world.oneIn(2)) return;
    this.world.after(this.world.between(50, 1500), () => {
      if (!this.quiet) this.change(this.leader?.node?.transferLeadership(leader.id));
    });
  }

  private join(): void {
    const { leader } = this;
    if (leader === undefined || this.processes.length >= 12) return;
    const process = this.newProcess();
    process.start();
    this.change(leader.node?.addMember(memberOf(process.id)));
  }

  private leave(): void {
    const { leader } = this;
    const voters = leader?.core?.membership.voters ?? [];
    const id = this.world.pick(voters)?.id;
    if (leader === undefined || id === undefined || voters.length <= 2 || this.spoilt !== undefined) return;
    this.change(
      leader.node?.removeMember(id).then(() => {
        const process = this.processes[id - 1] as Process;
        process.gone = true;
        this.world.after(this.world.between(500, 3000), () => process.crash());
      }),
    );
  }

  /** No more faults: the cluster becomes whole again, and everyone agrees. */
  private async recover(): Promise<void> {
    this.quiet = true;
    this.network.heal();
    this.network.dropRate = 0;
    this.network.duplicateRate = 0;
    this.network.stragglerRate = 0;
    this.network.maxDelay_ms = 5;
    for (const process of this.processes) {
      process.disk.faults.capacity = Number.POSITIVE_INFINITY;
      process.diskDelay_ms = 2;
    }
    const last = new Set<number>();
    const until_ms = this.world.now_ms + recovery_ms;
    const finish = async () => {
      for (;;) {
        for (const process of this.processes) {
          if (!process.running && !process.gone && !process.damaged) process.start();
        }
        await this.world.sleep(100);
        await this.removeDamaged();
        for (const { id, learner } of this.leader?.node?.status().members ?? []) {
          const process = this.processes[id - 1] as Process;
          if (learner || last.has(id) || process.node === undefined) continue;
          if (await this.append(process, `last ${id} ${++this.said}`)) last.add(id);
        }
      }
    };
    finish().catch((error) => {
      this.failure ??= error;
    });
    await this.world.run(until_ms, () => this.isWhole(last));
    assert.ok(this.isWhole(last), this.describe('the cluster did not recover'));
    this.history.check(this.leader?.machine?.items ?? []);
  }

  private isWhole(said: ReadonlySet<number>): boolean {
    const { leader } = this;
    const members = leader?.node?.status().members ?? [];
    if (leader === undefined || members.length === 0) return false;
    return members.every(({ id, learner }) => {
      const process = this.processes[id - 1] as Process;
      return !learner && said.has(id) && process.core?.applied === leader.core?.lastIndex;
    });
  }

  private describe(what: string): string {
    const states = this.processes.map(({ id, running, gone, core }) => {
      if (core === undefined) return `${id}: ${gone ? 'gone' : running ? 'starting' : 'down'}`;
      const { term, role, leader, committed, applied, lastIndex, firstIndex, membership } = core;
      const ids = `${membership.voters.map((member) => member.id)}|${membership.learners.map((member) => member.id)}`;
      return `${id}: ${role} of term ${term}, leader ${leader}, log ${firstIndex}..${lastIndex}, committed ${committed}, applied ${applied}, members ${ids}`;
    });
    return `${what}\n  ${states.join('\n  ')}`;
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
