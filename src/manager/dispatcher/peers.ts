import * as grpc from '@grpc/grpc-js';
import type { Logger } from 'winston';
import { type Clock, timestamp } from '../../model/clock.js';
import type { Random } from '../../model/random.js';
import type { DrainState, DrainStateInit, ManagerPeersClient, ManagerPeersHandlers } from '../../model/types.js';
import type { IdentityOf } from '../../security/identity.js';
import type { Progress } from './drain-gate.js';
import type { ManagerAddress } from './managers.js';
import { NewestOnly } from './newest-only.js';

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
  /** Whether this manager leads. */
  leads(): boolean;
  /** The leader said what time it is, in milliseconds since 1970. */
  onTime(time_ms: number): void;
  /** Nothing more is heard from that manager since `since_ms` (of the clock's monotonic time). */
  onLost(nodeID: string, since_ms: number): void;
}

type FromPeer = grpc.ServerDuplexStream<DrainState, DrainStateInit>;

/** Tells every other manager how far this one's sessions are, and hears the same of them. Soft state: the newest word is all that counts. */
export class Peers {
  private readonly told = new Map<string, ToPeer>();
  /** The newest stream from each manager. */
  private readonly heard = new Map<string, { call: FromPeer; at_ms: number }>();
  private latest: DrainStateInit | undefined;

  constructor(private readonly options: PeersOptions) {}

  /** Holds a stream to each of these managers, and to no other. */
  setManagers(managers: readonly ManagerAddress[]): void {
    const wanted = new Map(managers.filter((one) => one.nodeID !== this.options.self).map((one) => [one.nodeID, one]));
    for (const [id, peer] of this.told) {
      if (wanted.get(id)?.address === peer.manager.address) continue;
      peer.close();
      this.told.delete(id);
    }
    for (const [id, manager] of wanted) {
      if (!this.told.has(id)) this.told.set(id, new ToPeer(manager, this.options, () => this.latest));
    }
  }

  /** To be called at every change of progress, and often enough besides that silence means something. */
  tell({ revision, busy }: Progress): void {
    const { clock, leads } = this.options;
    this.latest = { Revision: revision, BusyTaskIDs: [...busy], Time: leads() ? timestamp(clock) : '' };
    for (const peer of this.told.values()) peer.send(this.latest);
  }

  /** Gives up managers that have said nothing for `lost_ms`. */
  expire(lost_ms: number): void {
    const before = this.options.clock.monotonic() - lost_ms;
    for (const [nodeID, { call, at_ms }] of this.heard) {
      if (at_ms > before) continue;
      this.heard.delete(nodeID);
      call.end();
      this.options.onLost(nodeID, at_ms);
    }
  }

  close(): void {
    for (const peer of this.told.values()) peer.close();
    this.told.clear();
    for (const { call } of this.heard.values()) call.end();
    this.heard.clear();
  }

  handlers(): ManagerPeersHandlers {
    return { Drained: (call) => this.accept(call) };
  }

  private accept(call: FromPeer): void {
    const { clock, identityOf, onProgress, onTime, onLost } = this.options;
    const { nodeID } = identityOf(call);
    this.heard.get(nodeID)?.call.end();
    const mine = { call, at_ms: clock.monotonic() };
    this.heard.set(nodeID, mine);
    call.sendMetadata(new grpc.Metadata()); // the other end learns that it is connected
    call.on('data', ({ Revision, BusyTaskIDs, Time }: DrainState) => {
      if (this.heard.get(nodeID) !== mine) return;
      mine.at_ms = clock.monotonic();
      const time_ms = Date.parse(Time);
      if (!Number.isNaN(time_ms)) onTime(time_ms);
      onProgress(nodeID, { revision: Revision, busy: new Set(BusyTaskIDs) });
    });
    const over = () => {
      if (this.heard.get(nodeID) !== mine) return;
      this.heard.delete(nodeID);
      onLost(nodeID, clock.monotonic());
    };
    call.on('end', () => {
      call.end();
      over();
    });
    call.on('error', () => {}); // 'close' follows
    call.on('close', over);
  }
}

/** The stream to one manager, opened again whenever it breaks. */
class ToPeer {
  private client: ManagerPeersClient | undefined;
  private stream: grpc.ClientDuplexStream<DrainStateInit, DrainState> | undefined;
  private sender: NewestOnly<DrainStateInit> | undefined;
  private cancelRetry = () => {};
  private wait_ms = reconnect_ms.least;
  private closed = false;

  constructor(
    readonly manager: ManagerAddress,
    private readonly options: PeersOptions,
    private readonly latest: () => DrainStateInit | undefined,
  ) {
    this.connect();
  }

  send(state: DrainStateInit): void {
    this.sender?.send(state);
  }

  close(): void {
    this.closed = true;
    this.cancelRetry();
    this.stream?.cancel();
    this.client?.close();
  }

  private connect(): void {
    this.client = this.options.connect(this.manager);
    const stream = this.client.Drained();
    this.stream = stream;
    this.sender = new NewestOnly(stream);
    let wasOpen = false;
    stream.on('metadata', () => {
      wasOpen = true;
    });
    stream.on('data', () => {}); // read, so that its end is noticed
    const over = (reason: string) => {
      if (this.stream !== stream || this.closed) return;
      this.stream = undefined;
      this.sender = undefined;
      this.client?.close();
      this.options.log.debug('no word to another manager', { manager: this.manager.nodeID, reason });
      this.retry(wasOpen);
    };
    // A manager that stops, or that heard nothing for too long, ends the call in good order: no error follows.
    stream.on('end', () => {
      stream.cancel();
      over('it ended the call');
    });
    stream.on('error', (error: Error) => over(error.message));
    const latest = this.latest();
    if (latest !== undefined) this.send({ ...latest, Time: '' }); // it was that time when it was said
  }

  private retry(wasOpen: boolean): void {
    const { clock, random } = this.options;
    if (wasOpen) this.wait_ms = reconnect_ms.least;
    this.cancelRetry = clock.after(this.wait_ms / 2 + random.below(this.wait_ms), () => this.connect());
    this.wait_ms = Math.min(this.wait_ms * 2, reconnect_ms.most);
  }
}
