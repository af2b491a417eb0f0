import { Actor } from './actor.js';
import { memberOf, type Process } from './process.js';

/** What goes wrong on its own, at any time. */
export class Faults extends Actor {
  /** Something goes wrong, every now and then. */
  trouble(): void {
    if (this.group.quiet) return;
    this.world.after(this.world.between(50, this.profile.calm_ms), () => {
      if (this.group.quiet) return;
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

  restartLater(process: Process): void {
    this.world.after(this.world.between(1, this.profile.downtime_ms), () => {
      if (this.group.quiet || process.gone || process.running || process.damaged) return;
      process.start();
      // It may give up at once, on a full disk.
      this.restartLater(process);
    });
  }

  private crashOne(): void {
    const process = this.world.pick(this.processes.filter(({ running }) => running));
    if (process === undefined) return;
    this.group.crashes++;
    process.crash();
    this.restartLater(process);
  }

  private crashAll(): void {
    if (!this.world.oneIn(4)) return;
    for (const process of this.processes.filter(({ running }) => running)) {
      this.group.crashes++;
      process.crash();
      this.restartLater(process);
    }
  }

  private stopOne(): void {
    const process = this.world.pick(this.processes.filter(({ node }) => node !== undefined));
    if (process === undefined) return;
    process.stop(this.world.oneIn(2)).then(
      () => this.restartLater(process),
      (error) => this.group.fail(error),
    );
  }

  private partition(): void {
    const side = new Set(this.processes.filter(() => this.world.oneIn(2)).map(({ id }) => id));
    this.world.after(this.world.between(100, 4000), this.group.cutOff(side, this.world.oneIn(3)));
  }

  /** A leader that is cut off with a minority removes members of the majority, one request right after the other. */
  private splitAndShrink(): void {
    const { leader } = this.group;
    const voters = leader?.core?.membership.voters ?? [];
    if (leader === undefined || voters.length < 3 || this.group.spoilt !== undefined) return;
    const others = voters.map(({ id }) => id).filter((id) => id !== leader.id);
    const near = new Set([leader.id, ...others.slice(0, Math.floor((voters.length - 1) / 2))]);
    const mend = this.group.cutOff(near);
    for (const id of others.filter((other) => !near.has(other))) this.group.change(leader.node?.removeMember(id));
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
    const voters = this.group.leader?.core?.membership.voters ?? [];
    const down = this.processes.filter(
      ({ id, running, gone }) => !running && !gone && voters.some((one) => one.id === id),
    );
    if (voters.length < 3 || this.group.spoilt !== undefined) return;
    const process = this.world.pick(down);
    process?.flipBit();
    if (process?.spoilt === true) this.group.spoilt = process;
  }

  /** There, and often back again. */
  private transfer(): void {
    const { leader } = this.group;
    this.group.change(leader?.node?.transferLeadership());
    if (leader === undefined || this.world.oneIn(2)) return;
    this.world.after(this.world.between(50, 1500), () => {
      if (!this.group.quiet) this.group.change(this.group.leader?.node?.transferLeadership(leader.id));
    });
  }

  private join(): void {
    const { leader } = this.group;
    if (leader === undefined || this.processes.length >= 12) return;
    const process = this.group.newProcess();
    process.start();
    this.group.change(leader.node?.addMember(memberOf(process.id)));
  }

  private leave(): void {
    const { leader } = this.group;
    const voters = leader?.core?.membership.voters ?? [];
    const id = this.world.pick(voters)?.id;
    if (leader === undefined || id === undefined || voters.length <= 2 || this.group.spoilt !== undefined) return;
    this.group.change(
      leader.node?.removeMember(id).then(() => {
        const process = this.processes[id - 1] as Process;
        process.gone = true;
        this.world.after(this.world.between(500, 3000), () => process.crash());
      }),
    );
  }
}
