import { networkInterfaces } from 'node:os';
import type { InitRequest } from '../api/backend.js';
import { firstRoot } from '../manager/ca/rotation.js';
import { issueCertificate } from '../manager/ca/signer.js';
import { firstRaftID, foundingTransaction } from '../manager/composition/first-state.js';
import { ShoalError } from '../model/errors.js';
import { newID } from '../model/ids.js';
import { withSwarmDefaults } from '../model/validate/defaults.js';
import { createSigningRequest } from '../security/authority.js';
import { advertiseAddress, dataPathAddress, joinHostPort, listenAddress } from './addresses.js';
import { ClusterMember } from './member.js';
import { NodeVault } from './node-vault.js';
import type { DaemonOptions } from './options.js';
import type { Parts } from './parts.js';
import { checkPortFree } from './probe.js';
import type { NodeState, StateDirectory } from './state.js';

const leader_ms = 20_000;

/**
 * `swarm init`: makes this node the first manager of a new cluster. Nothing is left of it when it throws: `invalid-argument` on
 * addresses that cannot be used or a root of the user's own that is none, `unavailable` when the external CA of that root does not
 * sign, `internal` when the disk refuses.
 */
export async function foundCluster(
  parts: Parts,
  directory: StateDirectory,
  options: DaemonOptions,
  request: InitRequest,
): Promise<ClusterMember> {
  const { clock, random, log } = parts;
  const interfaces = networkInterfaces();
  const listen = listenAddress(request.listenAddress, options.listenAddress, interfaces);
  const advertised = advertiseAddress(request.advertiseAddress, options.advertiseAddress, listen, interfaces);
  const dataPath = dataPathAddress(request.dataPathAddress, interfaces);
  await checkPortFree(listen);

  const spec = withSwarmDefaults(request.spec);
  const identity = { nodeID: newID(random), role: 'manager' as const, clusterID: newID(random), asOf: 0 };
  const now_ms = clock.now();
  const expiry_ms = spec.CAConfig!.NodeCertExpiry / 1e6;
  const root = await firstRoot(spec.CAConfig!, now_ms);
  const { requestPEM, keyPEM } = await createSigningRequest();
  const ca = { RootCA: root, Spec: spec };
  const certificatePEM = await issueCertificate(ca, requestPEM, identity, { now_ms, expiry_ms });
  const state: NodeState = {
    nodeID: identity.nodeID,
    clusterID: identity.clusterID,
    role: 'manager',
    listenAddress: joinHostPort(listen),
    advertiseAddress: joinHostPort(advertised),
    dataPathAddress: dataPath,
    raftID: firstRaftID,
    forgottenRaftID: 0,
    managers: [{ NodeID: identity.nodeID, Addr: joinHostPort(advertised) }],
    trustedManagers: [],
    trustedAsOf: 0,
  };

  await directory.clear(); // of what an attempt that was cut off may have left
  let member: ClusterMember | undefined;
  try {
    await NodeVault.create(directory.certificates, { keyPEM, certificatePEM, rootPEM: root.CertificatePEM });
    member = await ClusterMember.start(parts, directory, state, { isFirst: true });
    const { manager } = member;
    if (manager === undefined) throw new ShoalError('internal', member.rejection); // its Raft failed as it started
    await manager.ready(leader_ms);
    const founding = {
      clusterID: identity.clusterID,
      nodeID: identity.nodeID,
      root,
      certificateExpiry: new Date(now_ms + expiry_ms).toISOString(),
      address: state.advertiseAddress,
      availability: request.availability,
      spec,
      dataPathPort: request.dataPathPort,
      defaultAddressPool: request.defaultAddressPool,
      subnetSize: request.subnetSize,
    };
    await manager.propose(foundingTransaction(founding, clock));
    await directory.save(state); // from here on the node comes back as this manager
    member.startWorker();
    log.info('cluster founded', { cluster: identity.clusterID, node: identity.nodeID });
    return member;
  } catch (error) {
    await member?.stop({ handOver: false });
    await directory.clear().catch(() => {});
    throw error;
  }
}
