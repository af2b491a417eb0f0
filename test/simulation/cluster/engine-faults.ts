import { ShoalError } from '../../../src/model/errors.js';
import type { EngineCall } from '../../helpers/simulated-engine.js';
import { engineOf } from './checks.js';
import type { Cluster } from './cluster.js';
import type { Host } from './host.js';

/** What goes wrong with engines and what they run. */
export class EngineFaults {
  constructor(
    private readonly cluster: Cluster,
    private readonly note: (what: string) => void,
    /** Calls some time from now, unless the faults are over by then. */
    private readonly later: (from_ms: number, to_ms: number, call: () => void) => void,
  ) {}

  private someHost(): Host {
    return this.cluster.world.pick(this.cluster.hosts) as Host;
  }

  enginesDiskFills(): void {
    const host = this.someHost();
    this.note(`the disk of the engine of ${host.name} is full`);
    host.engine.isFull = true;
    this.later(500, 20_000, () => {
      host.engine.isFull = false;
    });
  }

  engineBack(host: Host): void {
    host.engine.boot();
    host.engine.resume();
    host.engine.losesEvents = false;
    host.engine.isFull = false;
    host.engine.latency_ms = () => 2;
    this.cluster.links.trouble(engineOf(host));
  }

  engineDies(): void {
    const host = this.someHost();
    const containers = this.cluster.world.oneIn(2) ? 'live' : 'killed';
    this.note(`the engine of ${host.name} dies, its containers: ${containers}`);
    this.cluster.links.trouble(engineOf(host));
    host.engine.die(containers);
    this.later(100, 15_000, () => {
      if (this.cluster.links.isOn(host.name)) this.engineBack(host);
    });
  }

  engineHangs(): void {
    const host = this.someHost();
    this.note(`the engine of ${host.name} hangs`);
    this.cluster.links.trouble(engineOf(host));
    host.engine.hang();
    this.later(500, 30_000, () => {
      host.engine.resume();
      this.cluster.links.trouble(engineOf(host));
    });
  }

  slowEngine(): void {
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

  engineErrs(): void {
    const { world } = this.cluster;
    const host = this.someHost();
    const call = world.pick(['create', 'start', 'stop', 'remove', 'inspect', 'list', 'events']) as EngineCall;
    this.cluster.links.trouble(engineOf(host));
    this.note(`a ${call} of ${host.name}'s engine goes wrong`);
    if (world.oneIn(2)) host.engine.loseNextAnswer(call);
    else host.engine.failNext(call, new ShoalError(world.oneIn(2) ? 'internal' : 'unavailable', 'made to fail'));
  }

  containerEnds(): void {
    const { world } = this.cluster;
    const host = this.someHost();
    const container = world.pick(host.engine.running());
    if (container === undefined) return;
    this.note(`${container.name} ends`);
    host.engine.exit(container.id, world.oneIn(2) ? 0 : 1);
  }

  containerVanishes(): void {
    const host = this.someHost();
    const container = this.cluster.world.pick([...host.engine.containers.values()]);
    if (container === undefined) return;
    this.note(`somebody removes ${container.name}`);
    host.engine.vanish(container.id);
  }
}
