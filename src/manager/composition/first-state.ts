import type { Clock } from '../../model/clock.js';
import { timestamp } from '../../model/clock.js';
import { complete } from '../../model/codec.js';
import type { SwarmSpec, SwarmSpecInit, TransactionInit } from '../../model/types.js';
import type { Authority } from '../../security/authority.js';
import { tlsInfoOf } from '../../security/tls-info.js';
import { newJoinToken } from '../../security/tokens.js';

const second_ns = 1e9;

/** What `swarm init` decides and the first transaction writes. */
export interface Founding {
  clusterID: string;
  nodeID: string;
  authority: Authority;
  certificateExpiry: string;
  /** host:port of the first manager. */
  address: string;
  availability: string;
  spec: SwarmSpecInit;
  dataPathPort: number;
  defaultAddressPool: readonly string[];
  subnetSize: number;
}

/** The first manager's Raft id; later ones come from Cluster.NextRaftID. */
export const firstRaftID = 1;

/** The spec with everything filled in that was not said (moby daemon/cluster, swarmkit defaults; the heartbeat is ours). */
export function swarmSpec(asked: SwarmSpecInit): SwarmSpec {
  const spec = complete('SwarmSpec', asked);
  return {
    ...spec,
    Name: spec.Name || 'default',
    Orchestration: { TaskHistoryRetentionLimit: spec.Orchestration?.TaskHistoryRetentionLimit ?? 5 },
    Raft: {
      SnapshotInterval: spec.Raft?.SnapshotInterval || 10_000,
      KeepOldSnapshots: spec.Raft?.KeepOldSnapshots ?? 0,
      LogEntriesForSlowFollowers: spec.Raft?.LogEntriesForSlowFollowers || 500,
      ElectionTick: spec.Raft?.ElectionTick || 10,
      HeartbeatTick: spec.Raft?.HeartbeatTick || 1,
    },
    Dispatcher: { HeartbeatPeriod: spec.Dispatcher?.HeartbeatPeriod || second_ns },
    CAConfig: {
      ...complete('SwarmSpec', { CAConfig: {} }).CAConfig!,
      ...spec.CAConfig,
      NodeCertExpiry: spec.CAConfig?.NodeCertExpiry || 90 * 24 * 3600 * second_ns,
      SigningCAKey: '', // a key of the user's own is never kept in the spec, which the API shows
    },
    TaskDefaults: spec.TaskDefaults ?? { LogDriver: null },
    EncryptionConfig: spec.EncryptionConfig ?? { AutoLockManagers: false },
  };
}

/** A new cluster: its one object and its first node. */
export function foundingTransaction(founding: Founding, clock: Clock): TransactionInit {
  const { clusterID, nodeID, authority, address } = founding;
  return {
    Origin: 'init',
    Time: timestamp(clock),
    Operations: [
      {
        Action: 'create',
        ID: clusterID,
        Cluster: {
          ID: clusterID,
          Spec: swarmSpec(founding.spec),
          TLSInfo: tlsInfoOf(authority.certificatePEM),
          DataPathPort: founding.dataPathPort || 4789,
          DefaultAddrPool: founding.defaultAddressPool.length > 0 ? [...founding.defaultAddressPool] : ['10.0.0.0/8'],
          SubnetSize: founding.subnetSize || 24,
          JoinTokens: {
            Worker: newJoinToken(authority.certificatePEM),
            Manager: newJoinToken(authority.certificatePEM),
          },
          RootCA: { CertificatePEM: authority.certificatePEM, KeyPEM: authority.keyPEM },
          NextRaftID: firstRaftID + 1,
        },
      },
      {
        Action: 'create',
        ID: nodeID,
        Node: {
          ID: nodeID,
          Spec: { Role: 'manager', Availability: founding.availability || 'active', Labels: {} },
          Status: { State: 'unknown' },
          ManagerStatus: { Addr: address },
          RaftID: firstRaftID,
          CertificateRole: 'manager',
          CertificateExpiry: founding.certificateExpiry,
        },
      },
    ],
  };
}
