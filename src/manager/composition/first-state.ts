import type { Clock } from '../../model/clock.js';
import { timestamp } from '../../model/clock.js';
import type { RootCA, SwarmSpec, TransactionInit } from '../../model/types.js';
import { tlsInfoOf } from '../../security/tls-info.js';
import { newJoinToken } from '../../security/tokens.js';
import { newUnlockKey } from '../../security/unlock-key.js';

/** What `swarm init` decides and the first transaction writes. */
export interface Founding {
  clusterID: string;
  nodeID: string;
  root: RootCA;
  certificateExpiry: string;
  /** host:port of the first manager. */
  address: string;
  availability: string;
  /** With its defaults filled in. */
  spec: SwarmSpec;
  dataPathPort: number;
  defaultAddressPool: readonly string[];
  subnetSize: number;
}

/** The first manager's Raft id; later ones come from Cluster.NextRaftID. */
export const firstRaftID = 1;

/** A new cluster: its one object and its first node. */
export function foundingTransaction(founding: Founding, clock: Clock): TransactionInit {
  const { clusterID, nodeID, root, address } = founding;
  return {
    Origin: 'init',
    Time: timestamp(clock),
    Operations: [
      {
        Action: 'create',
        ID: clusterID,
        Cluster: {
          ID: clusterID,
          // a key of the user's own is never kept in the spec, which the API shows
          Spec: { ...founding.spec, CAConfig: { ...founding.spec.CAConfig, SigningCAKey: '' } },
          TLSInfo: tlsInfoOf(root.CertificatePEM),
          DataPathPort: founding.dataPathPort || 4789,
          DefaultAddrPool: founding.defaultAddressPool.length > 0 ? [...founding.defaultAddressPool] : ['10.0.0.0/8'],
          SubnetSize: founding.subnetSize || 24,
          JoinTokens: {
            Worker: newJoinToken(root.CertificatePEM),
            Manager: newJoinToken(root.CertificatePEM),
          },
          RootCA: root,
          NextRaftID: firstRaftID + 1,
          UnlockKey: founding.spec.EncryptionConfig?.AutoLockManagers ? newUnlockKey() : '',
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
