import { isEncrypted } from '../../../model/encrypted-networks.js';
import type { NetworkPeer } from '../../../model/types.js';
import type { NetworkItems } from '../../network-table.js';

/** The nodes that encrypted networks reach: those with a task on one that can encrypt, or at these addresses, but for this one. */
export function encryptingPeers(
  items: NetworkItems,
  nodeID: string,
  addresses: ReadonlySet<string> = new Set(),
): NetworkPeer[] {
  const networks = new Set([...items.networks.values()].filter(isEncrypted).map(({ ID }) => ID));
  const nodes = new Set<string>();
  if (networks.size > 0) {
    for (const { NetworkID, Endpoints } of items.services.values()) {
      if (networks.has(NetworkID)) for (const { NodeID } of Endpoints) nodes.add(NodeID);
    }
  }
  return [...items.peers.values()]
    .filter(({ ID, EncryptionEpoch }) => ID !== nodeID && EncryptionEpoch !== 0)
    .filter(({ ID, Address }) => nodes.has(ID) || addresses.has(Address))
    .sort((a, b) => a.Number - b.Number);
}

/** The port of the tunnel of encrypted networks: the one after that of the others. */
export function encryptedPort({ DataPathPort }: NetworkPeer): number {
  return DataPathPort + 1;
}
