import { roughly } from '../base/units.js';
import type { Swarm } from '../base/wire.js';

/** The `Swarm` of GET /info. */
export interface SwarmInfo {
  NodeID?: string;
  NodeAddr?: string;
  LocalNodeState?: string;
  ControlAvailable?: boolean;
  Error?: string;
  RemoteManagers?: { NodeID?: string; Addr?: string }[] | null;
  Nodes?: number;
  Managers?: number;
  Cluster?: Swarm | null;
}

/** What `info` says of the cluster, in Docker's layout. */
export function describeSwarm(swarm: SwarmInfo): string[] {
  const lines = [`Swarm: ${swarm.LocalNodeState ?? 'inactive'}`];
  if (swarm.LocalNodeState === 'inactive' || swarm.LocalNodeState === 'locked') return lines;
  lines.push(` NodeID: ${swarm.NodeID ?? ''}`);
  if (swarm.Error) lines.push(` Error: ${swarm.Error}`);
  lines.push(` Is Manager: ${swarm.ControlAvailable ?? false}`);
  if (swarm.Cluster && swarm.ControlAvailable && !swarm.Error) lines.push(...describeCluster(swarm, swarm.Cluster));
  lines.push(` Node Address: ${swarm.NodeAddr ?? ''}`);
  const managers = (swarm.RemoteManagers ?? []).map(({ Addr }) => Addr ?? '').sort();
  if (managers.length > 0) lines.push(' Manager Addresses:', ...managers.map((address) => `  ${address}`));
  return lines;
}

function describeCluster(swarm: SwarmInfo, cluster: Swarm): string[] {
  const spec = cluster.Spec ?? {};
  const ca = spec.CAConfig ?? {};
  return [
    ` ClusterID: ${cluster.ID ?? ''}`,
    ` Managers: ${swarm.Managers ?? 0}`,
    ` Nodes: ${swarm.Nodes ?? 0}`,
    ...(cluster.DefaultAddrPool?.length ? [` Default Address Pool: ${cluster.DefaultAddrPool.join('  ')}`] : []),
    ...(cluster.SubnetSize ? [` SubnetSize: ${cluster.SubnetSize}`] : []),
    ...(cluster.DataPathPort ? [` Data Path Port: ${cluster.DataPathPort}`] : []),
    ' Orchestration:',
    `  Task History Retention Limit: ${spec.Orchestration?.TaskHistoryRetentionLimit ?? 0}`,
    ' Raft:',
    `  Snapshot Interval: ${spec.Raft?.SnapshotInterval ?? 0}`,
    ...(spec.Raft?.KeepOldSnapshots === undefined
      ? []
      : [`  Number of Old Snapshots to Retain: ${spec.Raft.KeepOldSnapshots}`]),
    `  Heartbeat Tick: ${spec.Raft?.HeartbeatTick ?? 0}`,
    `  Election Tick: ${spec.Raft?.ElectionTick ?? 0}`,
    ' Dispatcher:',
    `  Heartbeat Period: ${roughly((spec.Dispatcher?.HeartbeatPeriod ?? 0) / 1e6)}`,
    ' CA Configuration:',
    `  Expiry Duration: ${roughly((ca.NodeCertExpiry ?? 0) / 1e6)}`,
    `  Force Rotate: ${ca.ForceRotate ?? 0}`,
    ...(ca.ExternalCAs?.length
      ? ['  External CAs:', ...ca.ExternalCAs.map((each) => `    ${each.Protocol}: ${each.URL}`)]
      : []),
    ` Autolock Managers: ${spec.EncryptionConfig?.AutoLockManagers ?? false}`,
    ` Root Rotation In Progress: ${cluster.RootRotationInProgress ?? false}`,
  ];
}
