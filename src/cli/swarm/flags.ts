import type { Context } from '../base/context.js';
import { flag, onOff, text, type Values } from '../base/flag.js';
import { parseDuration, parseInteger } from '../base/units.js';
import type { SwarmSpec } from '../base/wire.js';
import { externalCAsIn, externalCaFlag } from './external-ca.js';

export const availabilityFlag = text('availability', 'Availability of the node ("active", "pause", "drain")', {
  shown: '"active"',
});
export const listenFlag = text('listen-addr', 'Listen address (format: "<ip|interface>[:port]")', {
  kind: 'node-addr',
  shown: '0.0.0.0:2377',
});
export const advertiseFlag = text('advertise-addr', 'Advertised address (format: "<ip|interface>[:port]")');
export const dataPathFlag = text(
  'data-path-addr',
  'Address or interface to use for data path traffic (format: "<ip|interface>")',
);
export const defaultListenAddress = '0.0.0.0:2377';
export const defaultPort = 2377;

export const autolockFlag = onOff('autolock', 'Change manager autolocking setting (true|false)');
export const certExpiryFlag = flag(
  'cert-expiry',
  'duration',
  'Validity period for node certificates (ns|us|ms|s|m|h)',
  (word) => parseDuration(word),
  {
    shown: '2160h0m0s',
  },
);
const heartbeatFlag = flag(
  'dispatcher-heartbeat',
  'duration',
  'Dispatcher heartbeat period (ns|us|ms|s|m|h)',
  (word) => parseDuration(word),
  {
    shown: '5s',
  },
);
const maxSnapshotsFlag = flag('max-snapshots', 'uint', 'Number of additional Raft snapshots to retain', (word) =>
  parseInteger(word, 0),
);
const snapshotIntervalFlag = flag(
  'snapshot-interval',
  'uint',
  'Number of log entries between Raft snapshots',
  (word) => parseInteger(word, 0),
  {
    shown: '10000',
  },
);
const historyFlag = flag(
  'task-history-limit',
  'int',
  'Task history retention limit',
  (word) => parseInteger(word, Number.MIN_SAFE_INTEGER),
  {
    shown: '5',
  },
);
/** What `swarm init` and `swarm update` both set of the cluster's spec. */
export const specFlags = [
  autolockFlag,
  certExpiryFlag,
  heartbeatFlag,
  maxSnapshotsFlag,
  snapshotIntervalFlag,
  historyFlag,
  externalCaFlag,
];

/**
 * A cluster's spec with what the command line sets, the rest as it was. `rootPEM`: the root that external CAs are of when nothing else is
 * said of them.
 */
export async function mergeSpec(
  context: Context,
  spec: SwarmSpec,
  values: Values,
  rootPEM: string,
): Promise<SwarmSpec> {
  const merged: SwarmSpec = { ...spec };
  const history = values.get(historyFlag);
  const expiry_ns = values.get(certExpiryFlag);
  const externalCAs = await externalCAsIn(context, values, rootPEM);
  const heartbeat_ns = values.get(heartbeatFlag);
  const interval = values.get(snapshotIntervalFlag);
  const snapshots = values.get(maxSnapshotsFlag);
  const autolock = values.get(autolockFlag);
  if (history !== undefined) merged.Orchestration = { ...spec.Orchestration, TaskHistoryRetentionLimit: history };
  if (heartbeat_ns !== undefined) merged.Dispatcher = { ...spec.Dispatcher, HeartbeatPeriod: heartbeat_ns };
  if (expiry_ns !== undefined) merged.CAConfig = { ...merged.CAConfig, NodeCertExpiry: expiry_ns };
  if (externalCAs !== undefined) merged.CAConfig = { ...merged.CAConfig, ExternalCAs: externalCAs };
  if (interval !== undefined) merged.Raft = { ...merged.Raft, SnapshotInterval: interval };
  if (snapshots !== undefined) merged.Raft = { ...merged.Raft, KeepOldSnapshots: snapshots };
  if (autolock !== undefined) merged.EncryptionConfig = { ...spec.EncryptionConfig, AutoLockManagers: autolock };
  return merged;
}

const availabilities = ['active', 'pause', 'drain'];

/** The availability asked for, in Docker's word. Throws on others. */
export function checkAvailability(word: string): string {
  const lower = word.toLowerCase();
  if (!availabilities.includes(lower)) {
    throw new Error(`invalid availability ${JSON.stringify(word)}, only active, pause and drain are supported`);
  }
  return lower;
}

/** An address with the cluster's port when it names none. An IPv6 address with a port is in brackets. */
export function withPort(address: string): string {
  if (/^\[.*\]:\d+$|^[^:[\]]+:\d+$/.test(address)) return address;
  if (/^\[.*\]$/.test(address)) return `${address}:${defaultPort}`;
  return address.includes(':') && !address.includes('[') ? `[${address}]:${defaultPort}` : `${address}:${defaultPort}`;
}
