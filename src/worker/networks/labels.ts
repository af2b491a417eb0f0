/** Label of the engine's network that stands for one of the cluster: its id there. */
export const networkLabel = 'shoal.network.id';
