/** Label of the engine's network that stands for one of the cluster: its id there. */
export const networkLabel = 'shoal.network.id';
/** Label of the engine's network that stands for a segment of it: which, from 0 on. Older ones of the first segment have none. */
export const segmentLabel = 'shoal.network.segment';
/** Label of a container that was made for networks of the cluster: the addresses that its user chose there. */
export const addressesLabel = 'shoal.network.addresses';
/** Label of a container that was made for a network of the cluster: the name servers that its user chose, which ours ask in its place. */
export const nameserversLabel = 'shoal.network.nameservers';
