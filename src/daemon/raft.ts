import type { Logger } from 'winston';
import type { OpenedRaft } from '../manager/composition/manager.js';
import type { Clock } from '../model/clock.js';
import type { Random } from '../model/random.js';
import { noProxy } from '../model/services.js';
import { layOutRaft, startRaft } from '../raft/driver.js';
import { nodeDisk } from '../raft/log/node-disk.js';
import type { Sealer } from '../raft/log/sealer.js';
import { GrpcTransport } from '../raft/transport/grpc-transport.js';
import type { RaftPlace } from './parts.js';

/** To be done before a node knows itself as a member of the group: see layOutRaft. */
export async function prepareRaft(directory: string, sealer: Sealer): Promise<void> {
  await layOutRaft(await nodeDisk(directory), sealer);
}

// A machine that stalls reads its answers late, and a stream to a manager is dear to open anew just then: the answer to a ping may
// take longer than the stalls that a busy machine has.
const options = { ...noProxy, 'grpc.keepalive_timeout_ms': 5_000 };

/** This manager's membership of the Raft group: its log on disk, its streams on the cluster port, each with the node it is meant for. */
export async function openRaft(
  { self, directory, sealer, isFirst, forceNewCluster, stateMachine, listener, dialer, onFatal }: RaftPlace,
  { clock, random, log }: { clock: Clock; random: Random; log: Logger },
): Promise<OpenedRaft> {
  const transport = new GrpcTransport({
    clock,
    random,
    log,
    dial: ({ nodeID }) => ({ credentials: dialer.credentials({ role: 'manager', nodeID }), options }),
    authorise: (call) => listener.identityOf(call).nodeID,
  });
  listener.addService(transport.definition, transport.handlers);
  try {
    const raft = await startRaft({
      self,
      disk: await nodeDisk(directory),
      sealer,
      transport,
      stateMachine,
      clock,
      random,
      log,
      ...(isFirst && { bootstrap: [self] }),
      defer: setImmediate,
      returning: !isFirst,
      forceNewCluster,
      onFatal,
    });
    return {
      node: raft,
      close: async () => {
        await raft.stop();
        listener.removeService(transport.definition);
      },
    };
  } catch (error) {
    listener.removeService(transport.definition);
    await transport.stop();
    throw error;
  }
}
