import type * as grpc from '@grpc/grpc-js';
import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import type { Random } from '../../model/random.js';
import type { DrainState, DrainStateInit, ManagerPeersClient, ManagerPeersHandlers } from '../../model/types.js';
import type { IdentityOf } from '../../security/identity.js';
import type { Progress } from './drain-gate.js';
import type { ManagerAddress } from './managers.js';

const reconnect_ms = { least: 100, most: 2_000 };

export interface PeersOptions {
  self: string;
  connect(manager: ManagerAddress): ManagerPeersClient;
  identityOf: IdentityOf;
  clock: Clock;
  random: Random;
  log: Logger;
  /** A manager told how far its sessions are. */
  onProgress(nodeID: string, progress: Progress): void;
  /** The stream from that manager broke. */
  onLost(nodeID: string): void;
}

interface Peer {
  address: string;
  close(): void;
  send(state: DrainStateInit): void;
}

/** Tells every other manager how far this one's sessions are, and hears the same of them. Soft state: the newest word is all that counts. */
export class Peers {
  private readonly peers = new Map<string, Peer>();
  private latest: DrainStateInit | undefined;

  constructor(private readonly options: PeersOptions) {}

  /** Holds a stream to each of these managers, and to no other. */
  setManagers(managers: readonly ManagerAddress[]): void {
    const wanted = new Map(managers.filter((one) => one.nodeID !== this.options.self).map((one) => [one.nodeID, one]));
    for (const [id, peer] of this.peers) {
      if (wanted.get(id)?.address === peer.address) continue;
      peer.close();
      this.peers.delete(id);
    }
    for (const [id, manager] of wanted) if (!this.peers.has(id)) this.peers.set(id, this.open(manager));
  }

  tell(progress: Progress): void {
    this.latest = { NodeID: this.options.self, Revision: progress.revision, BusyTaskIDs: [...progress.busy] };
    for (const peer of this.peers.values()) peer.send(this.latest);
  }

  close(): void {
    for (const peer of this.peers.values()) peer.close();
    this.peers.clear();
  }

  handlers(): ManagerPeersHandlers {
    const { identityOf, onProgress, onLost } = this.options;
    return {
      Drained: (call) => {
        const { nodeID } = identityOf(call);
        call.on('data', (state: DrainState) =>
          onProgress(nodeID, { revision: state.Revision, busy: new Set(state.BusyTaskIDs) }),
        );
        call.on('end', () => call.end());
        call.on('error', () => {}); // 'close' follows
        call.on('close', () => onLost(nodeID));
      },
    };
  }

  private open(manager: ManagerAddress): Peer {
    const { clock, random, log } = this.options;
    let client: ManagerPeersClient | undefined;
    let stream: grpc.ClientDuplexStream<DrainStateInit, DrainState> | undefined;
    let cancelRetry = () => {};
    let wait_ms = reconnect_ms.least;
    let closed = false;
    const connect = () => {
      client = this.options.connect(manager);
      const mine = client.Drained();
      stream = mine;
      mine.on('data', () => {});
      mine.on('metadata', () => {
        wait_ms = reconnect_ms.least;
      });
      mine.on('error', (error: Error) => {
        if (stream !== mine) return;
        stream = undefined;
        client?.close();
        if (closed) return;
        log.debug('no word to another manager', { manager: manager.nodeID, reason: error.message });
        cancelRetry = clock.after(wait_ms / 2 + random.below(wait_ms), connect);
        wait_ms = Math.min(wait_ms * 2, reconnect_ms.most);
      });
      mine.on('end', () => mine.cancel());
      if (this.latest !== undefined) mine.write(this.latest);
    };
    connect();
    return {
      address: manager.address,
      send: (state) => stream?.write(state),
      close() {
        closed = true;
        cancelRetry();
        stream?.cancel();
        client?.close();
      },
    };
  }
}
