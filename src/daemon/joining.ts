import { networkInterfaces } from 'node:os';
import type { JoinRequest } from '../api/backend.js';
import { messageOf, ShoalError } from '../model/errors.js';
import { joinCluster } from '../security/admission.js';
import { parseJoinToken } from '../security/tokens.js';
import {
  advertiseAddress,
  dataPathAddress,
  type HostPort,
  joinHostPort,
  listenAddress,
  remoteAddresses,
} from './addresses.js';
import { ClusterMember } from './member.js';
import { NodeVault } from './node-vault.js';
import type { DaemonOptions } from './options.js';
import type { Parts } from './parts.js';
import { checkPortFree, reach } from './probe.js';
import type { NodeState, StateDirectory } from './state.js';

/** Whether another manager could answer what this one did not: it is out of reach or has no leader at the moment. */
function isPassing(error: unknown): boolean {
  return (
    error instanceof ShoalError && ['unavailable', 'no-leader', 'overloaded', 'not-a-manager'].includes(error.code)
  );
}

/** The first of the managers that takes us; the others are tried only while it is not the token that is refused. */
async function admitted(remotes: readonly HostPort[], { token, availability }: JoinRequest) {
  const failures: string[] = [];
  for (const remote of remotes) {
    const address = joinHostPort(remote);
    try {
      const seen = await reach(remote);
      return { ...(await joinCluster(address, token, availability)), seen, address };
    } catch (error) {
      if (!isPassing(error)) throw error;
      failures.push(messageOf(error));
    }
  }
  throw new ShoalError('unavailable', `could not join the swarm through any manager: ${failures.join('; ')}`);
}

/**
 * `swarm join`: gets a certificate with the token and starts as what it says. Resolves as soon as the node is on its way; whether it
 * has arrived shows `isActive`. Nothing is left of it when it throws; the manager's own refusals come through.
 */
export async function joinAsMember(
  parts: Parts,
  directory: StateDirectory,
  options: DaemonOptions,
  request: JoinRequest,
): Promise<ClusterMember> {
  parseJoinToken(request.token);
  const interfaces = networkInterfaces();
  const remotes = remoteAddresses(request.remoteAddresses);
  const listen = listenAddress(request.listenAddress, options.listenAddress, interfaces);
  const dataPath = dataPathAddress(request.dataPathAddress, interfaces);
  const advertised = (seen: string) =>
    advertiseAddress(request.advertiseAddress, options.advertiseAddress, listen, interfaces, seen);
  advertised('127.0.0.1'); // what was asked for must be sound before a manager makes us a node
  await checkPortFree(listen);

  await directory.clear();
  const { material, identity, seen, address } = await admitted(remotes, request);
  const state: NodeState = {
    nodeID: identity.nodeID,
    clusterID: identity.clusterID,
    role: identity.role,
    listenAddress: joinHostPort(listen),
    advertiseAddress: joinHostPort(advertised(seen)),
    dataPathAddress: dataPath,
    raftID: 0,
    forgottenRaftID: 0,
    managers: [{ NodeID: '', Addr: address }],
    trustedManagers: [],
    trustedAsOf: 0,
  };
  let member: ClusterMember | undefined;
  try {
    await NodeVault.create(directory.certificates, material);
    await directory.save(state);
    member = await ClusterMember.start(parts, directory, state);
    parts.log.info('joined the cluster', { cluster: identity.clusterID, node: identity.nodeID, role: identity.role });
    return member;
  } catch (error) {
    await member?.stop({ handOver: false });
    await directory.clear().catch(() => {});
    throw error;
  }
}
