import type { Cluster } from './cluster.js';
import { EngineFaults } from './engine-faults.js';
import type { Host } from './host.js';

/** How a run is, as a whole; runs that are bad at everything get nowhere. */
interface Profile {
  /** The longest time without something new going wrong. */
  calm_ms: number;
  /** How often hosts, the network, engines and containers fail, compared with each other. */
  weights: { hosts: number; network: number; engines: number; containers: number; disks: number; clocks: number };
}

/** Everything that goes wrong. */
export class Faults {
  private isOver = false;
  private readonly profile: Profile;
  private readonly ofEngines: EngineFaults;
  count = 0;

  constructor(
    private readonly cluster: Cluster,
    /** Whether disks run full besides, and clocks differ by minutes. */
    asksForAll: boolean,
    /** Whether clocks are set while all runs. */
    private readonly setsClocks: boolean,
  ) {
    const { world } = cluster;
    this.ofEngines = new EngineFaults(
      cluster,
      (what) => this.note(what),
      (from_ms, to_ms, call) => this.later(from_ms, to_ms, call),
    );
    const weight = () => world.pick([0, 1, 1, 3]) as number;
    this.profile = {
      calm_ms: world.pick([1_000, 4_000, 15_000]) as number,
      weights: {
        hosts: weight(),
        network: weight(),
        engines: weight(),
        containers: weight(),
        disks: asksForAll ? weight() : 0,
        clocks: setsClocks ? weight() : 0,
      },
    };
    for (const host of cluster.hosts) {
      host.rate = world.between(990, 1010) / 1000;
      if (asksForAll && world.oneIn(2)) host.error.wall_ms = this.minutes_ms();
    }
  }

  /** Something goes wrong every now and then, until `end`. */
  begin(): void {
    const { world } = this.cluster;
    world.after(world.between(50, this.profile.calm_ms), () => {
      if (this.isOver) return;
      this.count++;
      this.happen();
      this.begin();
    });
  }

  private happen(): void {
    const { hosts, network, engines, containers, disks, clocks } = this.profile.weights;
    const of = this.ofEngines;
    const kinds: [weight: number, ...(() => void)[]][] = [
      [hosts, () => this.kill(), () => this.powerCut(), () => this.stopCleanly(), () => this.slowDisk()],
      [network, () => this.partition(), () => this.isolate(), () => this.slowHost(), () => this.badRaft()],
      [engines, () => of.engineDies(), () => of.engineHangs(), () => of.slowEngine(), () => of.engineErrs()],
      [containers, () => of.containerEnds(), () => of.containerEnds(), () => of.containerVanishes()],
      [disks, () => this.managersDiskFills(), () => of.enginesDiskFills()],
      [clocks, () => this.clockIsSet()],
    ];
    const all = kinds.flatMap(([weight, ...calls]) => Array.from({ length: weight }, () => calls).flat());
    this.cluster.world.pick(all)?.();
  }

  /** Nothing fails any more, and what did is on its way back. */
  end(): void {
    const { cluster } = this;
    this.isOver = true;
    this.note('the faults are over');
    cluster.links.heal();
    cluster.raft.heal();
    cluster.links.slow.clear();
    Object.assign(cluster.raft, { dropRate: 0, duplicateRate: 0, stragglerRate: 0, maxDelay_ms: 5 });
    for (const host of cluster.hosts) {
      host.diskDelay_ms = 2;
      host.disk.faults.capacity = Number.POSITIVE_INFINITY;
      this.ofEngines.engineBack(host);
      if (this.setsClocks && cluster.world.oneIn(2)) host.error.wall_ms = 0;
      if (!cluster.links.isOn(host.name)) host.powerOn();
      else host.start();
    }
  }

  private note(what: string): void {
    this.cluster.trace.add(`fault: ${what}`);
    if (process.env.SIMULATION_LOG !== undefined) console.log(Math.round(this.cluster.world.now_ms), 'FAULT', what);
  }

  private later(from_ms: number, to_ms: number, call: () => void): void {
    const { world } = this.cluster;
    world.after(world.between(from_ms, to_ms), () => {
      if (!this.isOver) call();
    });
  }

  private someHost(): Host {
    return this.cluster.world.pick(this.cluster.hosts) as Host;
  }

  // ------------------------------------------------------------ hosts

  private kill(): void {
    const host = this.someHost();
    if (!this.cluster.links.isOn(host.name)) return;
    this.note(`kill ${host.name}`);
    host.kill();
    this.later(1, 8_000, () => host.start());
  }

  private powerCut(): void {
    const host = this.someHost();
    if (!this.cluster.links.isOn(host.name)) return;
    this.note(`power cut at ${host.name}`);
    host.powerOff();
    this.later(500, 20_000, () => {
      this.note(`power at ${host.name}`);
      host.powerOn();
    });
  }

  private stopCleanly(): void {
    const host = this.someHost();
    if (host.process === undefined) return;
    this.note(`stop ${host.name}`);
    host.stop().then(
      () => (this.isOver ? host.start() : this.later(1, 5_000, () => host.start())),
      (error) => this.cluster.failed(error),
    );
  }

  private slowDisk(): void {
    const host = this.cluster.world.pick(this.cluster.managers) as Host;
    this.note(`slow disk at ${host.name}`);
    host.diskDelay_ms = this.cluster.world.pick([1, 20, 200]) as number;
  }

  // ------------------------------------------------------------ disks

  private managersDiskFills(): void {
    const { world, links, managers } = this.cluster;
    const host = world.pick(managers) as Host;
    this.note(`the disk of ${host.name} is full`);
    links.trouble(host.name);
    host.disk.faults.capacity = 0;
    this.later(500, 9_000, () => {
      host.disk.faults.capacity = Number.POSITIVE_INFINITY;
      links.trouble(host.name);
    });
  }

  // ------------------------------------------------------------ clocks

  private minutes_ms(): number {
    return this.cluster.world.between(-600, 600) * 1000;
  }

  /** To the right time, or to a wrong one. */
  private clockIsSet(): void {
    const { world } = this.cluster;
    const host = this.someHost();
    const wall_ms = world.oneIn(2) ? 0 : this.minutes_ms();
    this.note(`the clock of ${host.name} is set, from ${host.error.wall_ms} ms off to ${wall_ms}`);
    host.error.wall_ms = wall_ms;
  }

  // ------------------------------------------------------------ network

  private cut(left: Host, right: Host): void {
    this.cluster.links.cut(left.name, right.name);
    if (left.raftID > 0 && right.raftID > 0) this.cluster.raft.cut(left.raftID, right.raftID);
  }

  private healLater(): void {
    this.later(200, 12_000, () => {
      this.note('the network heals');
      this.cluster.links.heal();
      this.cluster.raft.heal();
    });
  }

  private partition(): void {
    const { world, hosts } = this.cluster;
    const side = new Set(hosts.filter(() => world.oneIn(2)));
    const oneWay = world.oneIn(3);
    this.note(`${oneWay ? 'half ' : ''}partition: ${[...side].map(({ name }) => name)}`);
    for (const left of hosts) {
      for (const right of hosts) {
        if (side.has(left) !== side.has(right) && (!oneWay || side.has(left))) this.cut(left, right);
      }
    }
    this.healLater();
  }

  private isolate(): void {
    const { world, hosts } = this.cluster;
    const host = this.someHost();
    const other = world.pick(hosts.filter((one) => one !== host)) as Host;
    const isAlone = world.oneIn(2);
    this.note(isAlone ? `${host.name} is cut off` : `${host.name} and ${other.name} do not reach each other`);
    for (const one of isAlone ? hosts.filter((peer) => peer !== host) : [other]) {
      this.cut(host, one);
      if (!world.oneIn(4)) this.cut(one, host);
    }
    this.healLater();
  }

  private slowHost(): void {
    const { world, links } = this.cluster;
    const host = this.someHost();
    const delay_ms = world.pick([30, 300, 1_500]) as number;
    this.note(`messages of ${host.name} take up to ${delay_ms} ms`);
    links.slow.set(host.name, delay_ms);
    this.later(1_000, 12_000, () => {
      links.slow.delete(host.name);
      links.trouble(host.name);
    });
  }

  private badRaft(): void {
    const { world, raft } = this.cluster;
    this.note('the managers hear each other badly');
    raft.dropRate = world.between(0, 200);
    raft.duplicateRate = world.between(0, 100);
    raft.maxDelay_ms = world.pick([2, 5, 20, 100]) as number;
  }
}
