import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Layout } from '../../src/lab/layout.js';
import { run, tryRun } from '../../src/lab/run.js';
import { hostNetworkDown, hostNetworkUp, switchDown, switchUp } from '../../src/lab/switch.js';
import { packageRoot } from '../../src/model/paths.js';
import { seededRandom } from '../../src/model/random.js';
import type { Order, Outcome } from '../helpers/raft-process.js';
import { History } from '../simulation/raft/history.js';

const program = join(packageRoot(), 'dist/test/helpers/raft-process.js');
const members = [1, 2, 3, 4, 5];
const answer_ms = 6000;
const recovery_ms = 60_000;
// RAFT_CHAOS_SECONDS for longer runs; the seed draws the faults, their moments stay the machine's.
const seconds = Number(process.env.RAFT_CHAOS_SECONDS ?? 40);
const seed = Number(process.env.RAFT_CHAOS_SEED ?? Date.now() % 100_000);
const layout = new Layout(`r${process.pid.toString(36)}`.slice(0, 8));
const port = 7946;
const addressOf = (id: number) => layout.host(id).address;

/** A member as a process in a network namespace of its own; what it has on disk outlives it. */
class RemoteMember {
  leads = false;
  private child: ChildProcess | undefined;
  private readonly waiting = new Map<number, (outcome: Partial<Outcome>) => void>();
  private orders = 0;

  constructor(
    readonly id: number,
    private readonly directory: string,
    private readonly failed: (what: string) => void,
  ) {}

  start(): void {
    if (this.child !== undefined) return;
    const addresses = members.map((id) => `${addressOf(id)}:${port}`).join();
    const { namespace } = layout.host(this.id);
    const member = [process.execPath, program, String(this.id), join(this.directory, String(this.id)), addresses];
    const child = spawn('ip', ['netns', 'exec', namespace, ...member], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.child = child;
    child.on('error', () => {}); // of a message to a process that was just killed
    child.on('message', (message: Outcome & { leads?: boolean; fatal?: string }) => {
      if (message.fatal !== undefined) this.failed(`member ${this.id} cannot go on: ${message.fatal}`);
      if (message.leads !== undefined) this.leads = message.leads;
      else this.waiting.get(message.number)?.(message);
    });
    child.on('exit', (code, signal) => {
      if (this.child === child) this.gone();
      if (code !== null && code !== 0) this.failed(`member ${this.id} ended with ${code}, signal ${signal}`);
    });
  }

  private gone(): void {
    this.child = undefined;
    this.leads = false;
    for (const settle of [...this.waiting.values()]) settle({ error: 'killed' });
  }

  get isUp(): boolean {
    return this.child !== undefined;
  }

  signal(name: NodeJS.Signals): void {
    this.child?.kill(name);
  }

  /** What the member answers; an error when it is killed or does not answer in time, so that the fate of an append is not known. */
  order(order: Omit<Order, 'number'>): Promise<Partial<Outcome>> {
    const number = ++this.orders;
    return new Promise((resolve) => {
      const settle = (outcome: Partial<Outcome>) => {
        clearTimeout(late);
        this.waiting.delete(number);
        resolve(outcome);
      };
      const late = setTimeout(() => settle({ error: 'late' }), answer_ms);
      this.waiting.set(number, settle);
      this.child?.send({ number, ...order }, () => {});
    });
  }
}

describe(`five managers as processes that are killed, stopped and cut off (RAFT_CHAOS_SEED=${seed})`, function () {
  this.timeout((seconds + 180) * 1000);
  const random = seededRandom(seed);
  const pick = <T>(items: readonly T[]) => items[random.below(items.length)] as T;
  const history = new History();
  const failures: string[] = [];
  const seen = { kills: 0, stops: 0, cuts: 0 };
  let directory: string;
  let all: RemoteMember[] = [];
  let isOver = false;
  let said = 0;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'shoal-raft-processes-'));
    await switchUp(layout);
    for (const id of members) await hostNetworkUp(layout.host(id));
    all = members.map((id) => new RemoteMember(id, directory, (what) => failures.push(what)));
    for (const member of all) member.start();
  });
  after(async () => {
    isOver = true;
    for (const member of all) member.signal('SIGKILL');
    for (const id of members) await hostNetworkDown(layout.host(id));
    await switchDown(layout);
    await rm(directory, { recursive: true, force: true });
  });

  async function append(member: RemoteMember, text: string): Promise<boolean> {
    const noted = history.began(text, performance.now());
    const { count, error } = await member.order({ append: text });
    if (count !== undefined) history.ended(noted, performance.now(), 'acknowledged', count);
    // These two say that nothing has happened; after any other answer it may have.
    else if (error === 'no-leader' || error === 'overloaded') history.ended(noted, performance.now(), 'refused');
    else history.ended(noted, performance.now(), 'unknown');
    return count !== undefined;
  }

  async function client(number: number): Promise<void> {
    while (!isOver) {
      const member = pick(all);
      if (!member.isUp) await sleep(20);
      else if (random.below(3) === 0) {
        const start_ms = performance.now();
        const { count } = await member.order({});
        if (count !== undefined) history.read(start_ms, performance.now(), count);
      } else if (!(await append(member, `${number}.${++said}`))) await sleep(20);
    }
  }

  /** Cuts what one member sends to others; the result mends it. */
  async function cutFrom(from: number, others: readonly number[]): Promise<() => Promise<void>> {
    const { namespace } = layout.host(from);
    const addresses = others.filter((to) => to !== from).map(addressOf);
    const route = (action: string, address: string) => ['-n', namespace, 'route', action, 'blackhole', `${address}/32`];
    for (const address of addresses) await run('ip', route('replace', address));
    return async () => {
      // Another cut may have mended it already.
      for (const address of addresses) await tryRun('ip', route('del', address));
    };
  }

  async function partition(side: readonly number[]): Promise<void> {
    seen.cuts++;
    const rest = members.filter((id) => !side.includes(id));
    const mends: (() => Promise<void>)[] = [];
    for (const id of side) mends.push(await cutFrom(id, rest));
    if (random.below(3) > 0) for (const id of rest) mends.push(await cutFrom(id, side));
    await sleep(500 + random.below(3500));
    for (const mend of mends) await mend();
  }

  async function kill(member: RemoteMember): Promise<void> {
    seen.kills++;
    member.signal('SIGKILL');
    await sleep(random.below(1500));
    member.start();
  }

  async function stop(member: RemoteMember): Promise<void> {
    seen.stops++;
    member.signal('SIGSTOP');
    await sleep(200 + random.below(4000));
    member.signal('SIGCONT');
  }

  async function trouble(until_ms: number): Promise<void> {
    const leader = () => all.find((member) => member.leads) ?? pick(all);
    const faults = [
      () => kill(pick(all)),
      () => kill(leader()),
      () => Promise.all([kill(pick(all)), kill(pick(all))]),
      () => stop(pick(all)),
      () => stop(leader()),
      () => partition(members.filter(() => random.below(2) === 0)),
      () => partition([leader().id]),
      () => partition([leader().id, pick(members)]),
    ];
    while (performance.now() < until_ms) {
      const fault = pick(faults)();
      // Now and then the next one comes before this one is over.
      if (random.below(4) > 0) await fault;
      else void fault.catch((error) => failures.push(String(error)));
      await sleep(random.below(1500));
    }
  }

  it('lose nothing that was acknowledged, show one history to all clients, and are whole again afterwards', async () => {
    const clients = Promise.all(Array.from({ length: 12 }, (_, number) => client(number)));
    const end_ms = performance.now() + seconds * 1000;
    await Promise.all([trouble(end_ms), trouble(end_ms)]);
    await sleep(5000); // for faults that are not over yet
    for (const member of all) {
      member.signal('SIGCONT');
      member.start();
    }
    isOver = true;
    await clients;
    const limit_ms = performance.now() + recovery_ms;
    for (const member of all) {
      while (!(await append(member, `last ${member.id} ${++said}`))) {
        assert.deepEqual(failures, []);
        assert.ok(performance.now() < limit_ms, `member ${member.id} takes no writes after the faults`);
        await sleep(100);
      }
    }
    const lists = await Promise.all(all.map(async (member) => (await member.order({ items: true })).items ?? []));
    for (const list of lists) assert.deepEqual(list, lists[0]);
    assert.deepEqual(failures, []);
    history.check(lists[0] ?? []);
    console.log(
      `      ${history.acknowledged} acknowledged writes, ${history.readCount} reads; ${seen.kills} kills, ${seen.stops} stops, ${seen.cuts} cuts`,
    );
    assert.ok(history.acknowledged > 100 && history.readCount > 50);
  });
});
