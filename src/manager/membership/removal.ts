import type { Clock } from '../../model/clock.js';
import { timestamp } from '../../model/clock.js';
import { ShoalError } from '../../model/errors.js';
import { isFinal } from '../../model/states.js';
import type { Node, OperationInit } from '../../model/types.js';
import type { View } from '../../store/view.js';
import type { Replicated } from '../reader.js';
import { retried } from '../retried.js';
import { checkRemoval } from './refusals.js';

/** Why a node is not served any more; undefined when it was not removed. */
export function removalOf(view: View, nodeID: string): string | undefined {
  const removed = view.cluster()?.RemovedNodes.some(({ ID }) => ID === nodeID) ?? false;
  return removed ? `node ${nodeID} was removed from the cluster` : undefined;
}

/** Nobody will ever report on the tasks of a node that is gone: they are over (swarmkit controlapi/node.go orphanNodeTasks). */
function orphans(view: View, nodeID: string, now: string): OperationInit[] {
  return [...view.tasksOfNode(nodeID)]
    .filter((task) => !isFinal(task.Status?.State ?? ''))
    .map((task) => ({
      Action: 'observe',
      ID: task.ID,
      Task: {
        ID: task.ID,
        Status: {
          ...task.Status,
          State: 'orphaned',
          Timestamp: now,
          Message: 'Task belonged to a node that has been deleted',
        },
      },
    }));
}

/**
 * Takes a node out of the cluster for good, and remembers that its certificate is not to be taken until it has ended. Refused as
 * `checkRemoval` says.
 */
export async function removeNode(store: Replicated, clock: Clock, nodeID: string, force: boolean): Promise<void> {
  await retried(async () => {
    const view = await store.read();
    const [node, cluster] = [view.get('Node', nodeID), view.cluster()];
    if (node === undefined || cluster === undefined) throw new ShoalError('not-found', `node ${nodeID} not found`);
    checkRemoval(node, force);
    const now = timestamp(clock);
    const kept = cluster.RemovedNodes.filter(({ CertificateExpiry }) => CertificateExpiry > now);
    const RemovedNodes = [...kept, { ID: nodeID, CertificateExpiry: node.CertificateExpiry }];
    const versionOf = (object: Pick<Node, 'Version'>) => object.Version?.Index ?? 0;
    await store.propose({
      Origin: 'membership',
      Time: now,
      Operations: [
        {
          Action: 'update',
          ID: cluster.ID,
          ExpectedVersion: versionOf(cluster),
          Cluster: { ...cluster, RemovedNodes },
        },
        { Action: 'remove', Kind: 'Node', ID: nodeID, ExpectedVersion: versionOf(node) },
        ...orphans(view, nodeID, now),
      ],
    });
  });
}
