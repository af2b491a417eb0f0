import type { Clock } from '../../model/clock.js';
import { timestamp } from '../../model/clock.js';
import { ShoalError } from '../../model/errors.js';
import type { NodeRole } from '../../security/identity.js';
import { newJoinToken } from '../../security/tokens.js';
import type { Replicated } from '../reader.js';
import { retried } from '../retried.js';

/** Replaces the join token of a role; nobody joins with the old one once this resolves. */
export async function rotateJoinToken(store: Replicated, clock: Clock, role: NodeRole): Promise<void> {
  await retried(async () => {
    const cluster = (await store.read()).cluster();
    if (cluster?.RootCA == null) throw new ShoalError('unavailable', 'the cluster is not initialised yet');
    const token = newJoinToken(cluster.RootCA.CertificatePEM);
    const tokens = { Worker: '', Manager: '', ...cluster.JoinTokens };
    const JoinTokens = role === 'manager' ? { ...tokens, Manager: token } : { ...tokens, Worker: token };
    await store.propose({
      Origin: 'ca',
      Time: timestamp(clock),
      Operations: [
        {
          Action: 'update',
          ID: cluster.ID,
          ExpectedVersion: cluster.Version?.Index ?? 0,
          Cluster: { ...cluster, JoinTokens },
        },
      ],
    });
  });
}
