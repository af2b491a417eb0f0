import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';
import type { Random } from '../model/random.js';
import { serviceClient } from '../model/services.js';
import type { GenericResource } from '../model/types.js';
import { Encryption } from '../network/kernel/encryption/encryption.js';
import { KernelNetworks, type PlaneSettings } from '../network/kernel/kernel-networks.js';
import { KernelPlane } from '../network/kernel/kernel-plane.js';
import type { KernelTools } from '../network/kernel/tools.js';
import { UserSpacePlane } from '../network/user-space/plane.js';
import type { Credentials } from '../security/credentials.js';
import { clearEngine } from '../worker/departure.js';
import type { Engine } from '../worker/engine.js';
import { NodeWorker, type WorkerEvents } from '../worker/node-worker.js';
import { splitHostPort } from './addresses.js';
import type { EncryptionHere } from './kernel-use.js';
import { clearMemory, memoryDirectory, memoryHomes } from './memory-directory.js';
import type { NodeState } from './state.js';

/** What a member of a cluster knows of its side as a worker. */
export type WorkerSide = Pick<NodeWorker, 'isConnected' | 'openGrace_ms' | 'verifyNetworks' | 'ownContainers' | 'stop'>;

export interface WorkerPlace {
  state: NodeState;
  credentials: Credentials;
  events: WorkerEvents;
}

export interface WorkerParts {
  engine: Engine;
  hostname: string;
  /** Added to the engine's own. */
  labels: Readonly<Record<string, string>>;
  genericResources: readonly GenericResource[];
  /** Address that published ports listen on; '' is all of the node's. */
  publishAddress: string;
  /** Undefined: this process may not change the kernel's networking. */
  kernelTools: KernelTools | undefined;
  /** How the kernel balances published ports; undefined: it does not. */
  kernelPlane: PlaneSettings | undefined;
  encryption: EncryptionHere;
  clock: Clock;
  random: Random;
  log: Logger;
}

/** Starts the worker's side of a node on this machine: over mutual TLS, with published ports in the kernel or in user space. */
export function startWorkerSide({ state, credentials, events }: WorkerPlace, parts: WorkerParts): WorkerSide {
  const { engine, hostname, labels, genericResources, publishAddress, clock, random, log } = parts;
  const { host } = splitHostPort(state.advertiseAddress, 0, '');
  const { kernelTools: tools, kernelPlane } = parts;
  const { nodeID } = state;
  const networksLog = log.child({ part: 'networks' });
  const encryption =
    'obstacle' in parts.encryption
      ? parts.encryption
      : new Encryption({ ...parts.encryption, nodeID, random, log: networksLog });
  const kernel =
    tools &&
    new KernelNetworks({
      nodeID,
      tools,
      plane: kernelPlane,
      ...('epoch' in encryption && { encryption }),
      clock,
      log: networksLog,
    });
  const planeLog = log.child({ part: 'plane' });
  const userSpace = new UserSpacePlane({
    log: planeLog,
    clock,
    random,
    ...(publishAddress !== '' && { addresses: [publishAddress] }),
  });
  const isInKernel = kernelPlane !== undefined && kernel !== undefined;
  return new NodeWorker({
    node: {
      id: state.nodeID,
      hostname,
      address: host,
      clusterAddress: state.advertiseAddress,
      dataPathAddress: state.dataPathAddress,
    },
    labels,
    genericResources,
    managers: state.managers,
    connect: (manager) => serviceClient('Dispatcher', manager, credentials.credentials({ role: 'manager' })),
    engine,
    plane: isInKernel ? new KernelPlane({ base: userSpace, kernel }) : userSpace,
    kernel,
    encryption,
    throughTunnel: isInKernel,
    memoryDirectory: memoryDirectory(state.nodeID, memoryHomes(process.env), log),
    tlsInfo: () => credentials.tlsInfo,
    onTLSChange: (call) => credentials.onSwap(call),
    events,
    clock,
    random,
    log,
  });
}

/**
 * Removes what a node that leaves its cluster has of it besides its state directory, whether its worker's side ran or could not (a
 * manager that is locked): containers, networks, secrets and configs in memory. Never rejects; what is left is logged.
 */
export async function clearWorkerSide(
  nodeID: string,
  { engine, kernelTools, clock, log }: Pick<WorkerParts, 'engine' | 'kernelTools' | 'clock' | 'log'>,
): Promise<void> {
  if (kernelTools !== undefined)
    await new KernelNetworks({
      nodeID,
      tools: kernelTools,
      plane: undefined,
      clock,
      log,
    }).close();
  await clearEngine(engine, nodeID, log);
  clearMemory(nodeID, memoryHomes(process.env), log);
}
