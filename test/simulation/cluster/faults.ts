import { ShoalError } from '../../../src/model/errors.js';
import type { EngineCall } from '../../helpers/simulated-engine.js';
import { engineOf } from './checks.js';
import type { Cluster } from './cluster.js';
import type { Host } from './host.js';

/** How a run is, as a whole; runs that are bad at everything get nowhere. */
interface Profile {
  /** The longest time without something new going wrong. */
  calm_ms: number;
  /** How often hosts, the network, engines and containers fail, compared with each other. */
  weights: { hosts: number; network: number; engines: number; containers: number; disks: number };
}

/** Everything that goes wrong. */
export class Faults {
  private isOver = false;
  private readonly profile: Profile;
  count = 0;

  constructor(
    private readonly cluster: Cluster,
    /** Whether disks run full besides, and clocks differ by minutes. */
    asksForAll: boolean,
  ) {
    const { world } = cluster;
    const weight = () => world.pick([0, 1, 1, 3]) as number;
    this.profile = {
      calm_ms: world.pick([1_000, 4_000, 15_000]) as number,
      weights: {
        hosts: weight(),
        network: weight(),
        engines: weight(),
        containers: weight(),
        disks: asksForAll ? weight() : 0,
      },
    };
    for (const host of cluster.hosts) {
      host.rate = world.between(990, 1010) / 1000;
      if (asksForAll && world.oneIn(2)) host.error.wall_ms = world.between(-600, 600) * 1000;
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
    const { hosts, network, engines, containers, disks } = this.profile.weights;
    const kinds: [weight: number, ...(() => void)[]][] = [
      [hosts, () => this.kill(), () => this.powerCut(), () => this.stopCleanly(), () => this.slowDisk()],
      [network, () => this.partition(), () => this.isolate(), () => this.slowHost(), () => this.badRaft()],
      [engines, () => this.engineDies(), () => this.engineHangs(), () => this.slowEngine(), () => this.engineErrs()],
      [containers, () => this.containerEnds(), () => this.containerEnds(), () => this.containerVanishes()],
      [disks, () => this.managersDiskFills(), () => this.enginesDiskFills()],
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
      this.engineBack(host);
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

  private enginesDiskFills(): void {
    const host = this.someHost();
    this.note(`the disk of the engine of ${host.name} is full`);
    host.engine.isFull = true;
    this.later(500, 20_000, () => {
      host.engine.isFull = false;
    });
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

  // ------------------------------------------------------------ engines

  private engineBack(host: Host): void {
    host.engine.boot();
    host.engine.resume();
    host.engine.losesEvents = false;
    host.engine.isFull = false;
    host.engine.latency_ms = () => 2;
    this.cluster.links.trouble(engineOf(host));
  }

  private engineDies(): void {
    const host = this.someHost();
    const containers = this.cluster.world.oneIn(2) ? 'live' : 'killed';
    this.note(`the engine of ${host.name} dies, its containers: ${containers}`);
    this.cluster.links.trouble(engineOf(host));
    host.engine.die(containers);
    this.later(100, 15_000, () => {
      if (this.cluster.links.isOn(host.name)) this.engineBack(host);
    });
  }

  private engineHangs(): void {
    const host = this.someHost();
    this.note(`the engine of ${host.name} hangs`);
    this.cluster.links.trouble(engineOf(host));
    host.engine.hang();
    this.later(500, 30_000, () => {
      host.engine.resume();
      this.cluster.links.trouble(engineOf(host));
    });
  }

  private slowEngine(): void {
    const host = this.someHost();
    const latency_ms = this.cluster.world.pick([20, 200, 2_000]) as number;
    this.note(`the engine of ${host.name} takes ${latency_ms} ms a call, and loses events`);
    this.cluster.links.trouble(engineOf(host));
    host.engine.latency_ms = () => latency_ms;
    host.engine.losesEvents = this.cluster.world.oneIn(2);
    this.later(1_000, 15_000, () => {
      host.engine.latency_ms = () => 2;
      host.engine.losesEvents = false;
      this.cluster.links.trouble(engineOf(host));
    });
  }

  private engineErrs(): void {
    const { world } = this.cluster;
    const host = this.someHost();
    const call = world.pick(['create', 'start', 'stop', 'remove', 'inspect', 'list', 'events']) as EngineCall;
    this.cluster.links.trouble(engineOf(host));
    this.note(`a ${call} of ${host.name}'s engine goes wrong`);
    if (world.oneIn(2)) host.engine.loseNextAnswer(call);
    else host.engine.failNext(call, new ShoalError(world.oneIn(2) ? 'internal' : 'unavailable', 'made to fail'));
  }

  // ------------------------------------------------------------ containers

  private containerEnds(): void {
    const { world } = this.cluster;
    const host = this.someHost();
    const container = world.pick(host.engine.running());
    if (container === undefined) return;
    this.note(`${container.name} ends`);
    host.engine.exit(container.id, world.oneIn(2) ? 0 : 1);
  }

  private containerVanishes(): void {
    const host = this.someHost();
    const container = this.cluster.world.pick([...host.engine.containers.values()]);
    if (container === undefined) return;
    this.note(`somebody removes ${container.name}`);
    host.engine.vanish(container.id);
  }
}
