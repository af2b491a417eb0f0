import type { Network, Route } from '../../model/types.js';
import type { NetworkItems } from '../network-table.js';
import { targetsOf } from './mesh.js';

/** Tasks by where the rules lead connections: `<protocol> <address> <port>`, or `<address>` alone for every port of it. */
export type Destinations = ReadonlyMap<string, Destination>;
export interface Destination {
  taskID: string;
  /** What is said on its connections is never changed. */
  isOpaque: boolean;
}

/** Where the rules of a node that carries these networks and publishes these routes lead to. */
export function destinationsOf(
  items: NetworkItems,
  carried: readonly Network[],
  routes: readonly Route[],
  nodeID: string,
): Destinations {
  const destinations = new Map<string, Destination>();
  for (const route of routes) {
    for (const { taskID, address, port } of targetsOf(route, { nodeID, peers: items.peers })) {
      destinations.set(`${route.Protocol} ${address} ${port}`, { taskID, isOpaque: route.Opaque });
    }
  }
  const carriedIDs = new Set(carried.map(({ ID }) => ID));
  for (const { NetworkID, VirtualIP, VirtualIP6, Endpoints, Opaque: isOpaque } of items.services.values()) {
    if (!carriedIDs.has(NetworkID)) continue;
    for (const { TaskID, Address, Address6, Serving } of Endpoints) {
      if (!Serving) continue;
      if (VirtualIP !== '') destinations.set(Address, { taskID: TaskID, isOpaque });
      if (VirtualIP6 !== '' && Address6 !== '') destinations.set(Address6, { taskID: TaskID, isOpaque });
    }
  }
  return destinations;
}
