import type { Logger } from 'winston';
import { messageOf } from '../model/errors.js';
import type { Engine } from './engine.js';
import { labelNames } from './labels.js';
import { networkLabel } from './networks/labels.js';

/**
 * Removes the containers of a node's tasks from its engine, and the bridges of the cluster's networks: the node leaves its cluster, and
 * nothing of ours runs any more. Never rejects: what cannot be removed is logged, with what removes it by hand.
 */
export async function clearEngine(engine: Engine, nodeID: string, log: Logger): Promise<void> {
  const label = `${labelNames.nodeID}=${nodeID}`;
  try {
    const containers = await engine.list({ [labelNames.nodeID]: nodeID });
    await Promise.all(containers.map(({ id }) => engine.remove(id)));
  } catch (error) {
    const byHand = `docker rm -f $(docker ps -aq --filter label=${label})`;
    log.warn('containers of tasks were left behind', { reason: messageOf(error), byHand });
  }
  const failed = (error: unknown) => {
    const byHand = `docker network prune --filter label=${networkLabel}`;
    log.warn('networks of the cluster were left behind', { reason: messageOf(error), byHand });
  };
  const networks = await engine.networks(networkLabel).catch((error) => {
    failed(error);
    return [];
  });
  if (networks.length === 0) return;
  // Containers of the node's own users stay, and the networks do not: Docker does the same as a node leaves.
  const containers = await engine.list({}).catch(() => []);
  for (const { id, name } of networks) {
    for (const one of containers) {
      if (one.networks.some((on) => on.id === id || on.name === name)) {
        await engine.disconnectNetwork(id, one.id).catch(failed);
      }
    }
    await engine.removeNetwork(id).catch(failed);
  }
}
