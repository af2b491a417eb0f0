import type { Clock } from '../../model/clock.js';
import { timestamp } from '../../model/clock.js';
import { ShoalError } from '../../model/errors.js';
import type { CAConfig, Cluster, RootCA, SwarmSpec } from '../../model/types.js';
import type { Caller } from '../../security/external-ca.js';
import { newJoinToken } from '../../security/tokens.js';
import { newUnlockKey } from '../../security/unlock-key.js';
import type { Replicated } from '../reader.js';
import { rootAfter } from './rotation.js';
import { clusterTLSInfo, founded } from './trust.js';

/** What `POST /swarm/update` asks for. */
export interface SwarmChange {
  /** Of the cluster object that the change was made from. */
  version: number;
  /** With its defaults filled in. */
  spec: SwarmSpec;
  rotate: { workerToken: boolean; managerToken: boolean; unlockKey: boolean };
}

/** What managers are to be locked with. Throws `invalid-argument` when a key is to be replaced and there is none. */
function unlockKeyOf(cluster: Cluster, { spec, rotate }: SwarmChange): string {
  if (!spec.EncryptionConfig?.AutoLockManagers) {
    if (rotate.unlockKey) throw new ShoalError('invalid-argument', 'cannot rotate because autolock is not turned on');
    return '';
  }
  return cluster.UnlockKey === '' || rotate.unlockKey ? newUnlockKey() : cluster.UnlockKey;
}

/**
 * The settings as they are kept: without a key of the user's own, which the API would show; and when another root takes the place of
 * this one, external CAs that named none sign for this one, not for the other.
 */
function kept(config: CAConfig, before: RootCA, after: RootCA): CAConfig {
  const begins = before.Rotation === null && after.Rotation !== null;
  const named = (CACert: string) => (CACert === '' && begins ? before.CertificatePEM : CACert);
  const ExternalCAs = config.ExternalCAs.map((one) => ({ ...one, CACert: named(one.CACert) }));
  return { ...config, ExternalCAs, SigningCAKey: '' };
}

/**
 * Changes the cluster's settings and replaces its tokens and keys, all or nothing. Nobody joins with a replaced token once this resolves.
 * `caller` is how this manager shows itself to an external CA. Throws `out-of-sequence` when the cluster was changed since `version`.
 */
export async function updateSwarm(store: Replicated, clock: Clock, caller: Caller, change: SwarmChange): Promise<void> {
  const { version, spec, rotate } = change;
  const cluster = founded((await store.read()).cluster());
  if (cluster.Version?.Index !== version) {
    throw new ShoalError('out-of-sequence', 'rpc error: code = Unknown desc = update out of sequence');
  }
  const tokens = { Worker: '', Manager: '', ...cluster.JoinTokens };
  const newToken = () => newJoinToken(cluster.RootCA.CertificatePEM);
  const config = spec.CAConfig!;
  const RootCA = await rootAfter(cluster, config, { now_ms: clock.now(), caller });
  await store.propose({
    Origin: 'api',
    Time: timestamp(clock),
    Operations: [
      {
        Action: 'update',
        ID: cluster.ID,
        ExpectedVersion: version,
        Cluster: {
          ...cluster,
          Spec: { ...spec, CAConfig: kept(config, cluster.RootCA, RootCA) },
          RootCA,
          RootRotationInProgress: RootCA.Rotation !== null,
          TLSInfo: clusterTLSInfo(RootCA),
          JoinTokens: {
            Worker: rotate.workerToken ? newToken() : tokens.Worker,
            Manager: rotate.managerToken ? newToken() : tokens.Manager,
          },
          UnlockKey: unlockKeyOf(cluster, change),
        },
      },
    ],
  });
}
