import { ShoalError } from '../../../src/model/errors.js';
import type { World } from '../world.js';
import type { Invariants } from './invariants.js';
import { Network } from './network.js';
import { Process } from './process.js';
import { drawProfile, type Profile } from './profile.js';

/** The members of a simulated cluster, those that left too, and the network between them. */
export class Group {
  readonly network: Network;
  readonly profile: Profile;
  readonly processes: Process[] = [];
  /** What went wrong first, of that which must not. */
  failure: unknown;
  /** The faults are over. */
  quiet = false;
  crashes = 0;
  /** The member whose disk was tampered with. */
  spoilt: Process | undefined;

  constructor(
    readonly world: World,
    private readonly invariants: Invariants,
  ) {
    this.network = new Network(world);
    this.profile = drawProfile(world);
    this.network.stragglerRate = this.profile.stragglerRate;
  }

  fail(error: unknown): void {
    this.failure ??= error;
  }

  /** Whatever a change of members comes to is fine; that it is not half done, the checks see. */
  change(work: Promise<void> | undefined): void {
    work?.catch((error) => {
      if (!(error instanceof ShoalError)) this.fail(error);
    });
  }

  /** The one of the newest term, of those that take themselves for it. */
  get leader(): Process | undefined {
    let newest: Process | undefined;
    for (const process of this.processes) {
      const { core } = process;
      if (core?.role === 'leader' && core.term > (newest?.core?.term ?? 0)) newest = process;
    }
    return newest;
  }

  newProcess(): Process {
    const id = this.processes.length + 1;
    const fail = (error: unknown) => this.fail(error);
    const process = new Process(id, this.world, this.network, this.invariants, fail);
    process.maxAppendBytes = this.profile.maxAppendBytes;
    process.snapshotChunkBytes = this.profile.snapshotChunkBytes;
    process.timeoutSpread = this.profile.duels ? 2 : 10;
    process.rate = this.world.between(90, 110) / 100;
    this.processes.push(process);
    return process;
  }

  /** Cuts these off from all others; the result mends it. */
  cutOff(side: ReadonlySet<number>, oneWay = false): () => void {
    const ids = this.processes.map(({ id }) => id);
    const links = ids.flatMap((from) => ids.map((to): [number, number] => [from, to]));
    return this.network.cutAll(
      links.filter(([from, to]) => side.has(from) !== side.has(to) && !(oneWay && side.has(to))),
    );
  }

  describe(what: string): string {
    const states = this.processes.map(({ id, running, gone, core }) => {
      if (core === undefined) return `${id}: ${gone ? 'gone' : running ? 'starting' : 'down'}`;
      const { term, role, leader, committed, applied, lastIndex, firstIndex, membership } = core;
      const ids = `${membership.voters.map((member) => member.id)}|${membership.learners.map((member) => member.id)}`;
      return `${id}: ${role} of term ${term}, leader ${leader}, log ${firstIndex}..${lastIndex}, committed ${committed}, applied ${applied}, members ${ids}`;
    });
    return `${what}\n  ${states.join('\n  ')}`;
  }

  /** Nothing more goes wrong from now on. */
  calm(): void {
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
  }
}
