import type { Route } from '../../../src/model/types.js';
import type { DataPlane } from '../../../src/network/data-plane.js';
import type { World } from '../world.js';

/** A data plane without sockets: what it routes to, and which connections to tasks out of rotation are still open. */
export class SimulatedPlane implements DataPlane {
  routes: readonly Route[] = [];
  private readonly busy = new Set<string>();
  private readonly listeners = new Set<() => void>();
  /** The longest that a change of routes takes. */
  static readonly apply_ms_max = 20;

  constructor(
    private readonly world: World,
    private readonly alive: () => boolean,
  ) {}

  /** Whether a new connection may go to the task. */
  routesTo(taskID: string): boolean {
    return this.alive() && this.routes.some(({ Endpoints }) => Endpoints.some(({ TaskID }) => TaskID === taskID));
  }

  async apply(routes: readonly Route[]): Promise<{ failed: readonly { routeID: string; reason: string }[] }> {
    const { world } = this;
    await world.sleep(world.random.below(SimulatedPlane.apply_ms_max / 2));
    const before = this.routes;
    this.routes = routes;
    for (const { Endpoints } of before) for (const { TaskID } of Endpoints) this.left(TaskID);
    await world.sleep(world.random.below(SimulatedPlane.apply_ms_max / 2));
    return { failed: [] };
  }

  /** Some connections go on for a while when their task has left rotation. */
  private left(taskID: string): void {
    if (this.routesTo(taskID) || !this.world.oneIn(3)) return;
    this.busy.add(taskID);
    this.world.after(this.world.random.below(this.world.oneIn(4) ? 20_000 : 2_000), () => {
      this.busy.delete(taskID);
      if (this.alive()) for (const call of [...this.listeners]) call();
    });
  }

  busyTasks(): readonly string[] {
    return [...this.busy];
  }

  onReleased(call: () => void): () => void {
    this.listeners.add(call);
    return () => this.listeners.delete(call);
  }

  async close(): Promise<void> {
    this.routes = [];
    this.busy.clear();
  }
}
