import type { Route } from '../model/types.js';

/**
 * Brings published ports to life on one node. The user-space plane and the kernel's are two sets of the same behaviour,
 * held to it by test/helpers/data-plane-contract.ts.
 */
export interface DataPlane {
  /**
   * Makes the routes so: listens where a route is new, takes endpoints in and out, closes what is gone. When it resolves, no new
   * connection goes to an endpoint that `routes` does not name. Established connections to removed endpoints live on until
   * they end or `idle` ones are closed. A port that cannot be had (in use by another program) is reported, the others go on.
   */
  apply(routes: readonly Route[]): Promise<{ failed: readonly { routeID: string; reason: string }[] }>;

  /** Tasks outside rotation that still have open connections here. */
  busyTasks(): readonly string[];

  /** Calls back when `busyTasks` shrank; the result stops it. */
  onReleased(call: () => void): () => void;

  /** Removes everything of ours from the node; open connections are cut. */
  close(): Promise<void>;
}
