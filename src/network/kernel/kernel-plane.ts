import { ShoalError } from '../../model/errors.js';
import type { Route } from '../../model/types.js';
import type { DataPlane } from '../data-plane.js';
import type { KernelNetworks } from './kernel-networks.js';

/** A plane that listens on published ports itself, and tells which it could have. */
export interface ListeningPlane extends DataPlane {
  /** Whether the port of the route is ours. */
  listens(routeID: string): boolean;
  /** Calls back when a port could be had that could not before. */
  onListening(call: () => void): void;
}

export interface KernelPlaneOptions {
  /** In user space: holds the ports against other programs, and has the clients that the kernel leaves to it. */
  base: ListeningPlane;
  kernel: KernelNetworks;
}

/**
 * Balances published ports in the kernel, before the listeners of a plane in user space: whatever the rules do not take (IPv6, 127.0.0.1,
 * containers on the engine's own bridges), and everything while there are no rules, is served by those.
 */
export class KernelPlane implements DataPlane {
  private routes: readonly Route[] = [];

  constructor(private readonly options: KernelPlaneOptions) {
    options.base.onListening(() => void this.publish());
  }

  async apply(routes: readonly Route[]): Promise<{ failed: readonly { routeID: string; reason: string }[] }> {
    this.routes = routes;
    const { base, kernel } = this.options;
    const result = await base.apply(routes);
    await this.publish();
    // As long as the kernel may lead to what is not in `routes`, nobody may rely on the contrary.
    if (!kernel.isCurrent) throw new ShoalError('unavailable', `the rules could not be changed: ${kernel.error}`);
    return result;
  }

  busyTasks(): readonly string[] {
    const { base, kernel } = this.options;
    return [...new Set([...base.busyTasks(), ...kernel.busyTasks()])];
  }

  onReleased(call: () => void): () => void {
    const { base, kernel } = this.options;
    const stops = [base.onReleased(call), kernel.onReleased(call)];
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** Connections that the kernel carries to tasks here go on; those through the tunnel and those in user space are cut. */
  async close(): Promise<void> {
    this.routes = [];
    const { base, kernel } = this.options;
    await kernel.close();
    await base.close();
  }

  /** A port that another program has is that program's, though our rules would come first. */
  private publish(): Promise<void> {
    const { base, kernel } = this.options;
    return kernel.publish(this.routes.filter(({ ID }) => base.listens(ID)));
  }
}
