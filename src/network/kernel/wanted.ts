import type { Network, Route } from '../../model/types.js';
import type { NetworkItems } from '../network-table.js';
import { carriedNetworks, type DesiredKernel, desiredKernel, tunnelMTU } from './desired.js';
import { bridgesOf, type Mesh } from './mesh.js';
import { plainTunnel } from './names.js';
import type { Observed } from './observed.js';
import { rules6For, rulesFor } from './rules.js';
import type { Rules } from './tables.js';

/** What a node's kernel shall have, all of it. */
export interface Wanted {
  kernel: DesiredKernel;
  /** Undefined: no tables. */
  rules: Rules | undefined;
  /** Whether published ports are balanced in the kernel. */
  hasPlane: boolean;
}

/** What that follows from, besides what is there. */
export interface Known {
  items: NetworkItems;
  nodeID: string;
  routes: readonly Route[];
  /** Undefined: ports are not published by the kernel. */
  mesh: Omit<Mesh, 'routes' | 'engineBridges'> | undefined;
  /** Whether ports are published, or were a moment ago. */
  hasMesh: boolean;
  /** Whether the tunnel of encrypted networks is in use. */
  encrypts: boolean;
  knowsIPv6: boolean;
}

/** Of a node without networks and published ports. */
export const nothingWanted: Wanted = {
  kernel: desiredKernel({ peers: new Map(), networks: new Map(), services: new Map() }, '', [], 0, false, false),
  rules: undefined,
  hasPlane: false,
};

/** What the kernel shall have; `carried` are the networks of which all bridges are there. Pure. */
export function wantedFrom(known: Known, seen: Observed): Wanted & { rules: Rules; carried: readonly Network[] } {
  const { items, nodeID, routes, hasMesh, encrypts, knowsIPv6 } = known;
  const carried = carriedNetworks(items, seen.bridges);
  const mesh = known.mesh && {
    ...known.mesh,
    routes,
    engineBridges: bridgesOf(known.mesh.inside, seen.foreignBridgeOf),
  };
  const mtu = tunnelMTU(plainTunnel, underlayMTU(items, nodeID, seen));
  return {
    carried,
    kernel: desiredKernel(items, nodeID, carried, mtu, hasMesh, knowsIPv6),
    rules: {
      ipv4: rulesFor(items, nodeID, carried, mesh, encrypts),
      ipv6: knowsIPv6 ? rules6For(items, nodeID, carried, mesh) : undefined,
    },
    hasPlane: mesh !== undefined,
  };
}

/** Of the machine's own network, by which it reaches the others; undefined when that is not known. */
export function underlayMTU(items: NetworkItems | undefined, nodeID: string, seen: Observed): number | undefined {
  return seen.mtuOf(items?.peers.get(nodeID)?.Address ?? '');
}
