import * as grpc from '@grpc/grpc-js';
import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import { ShoalError } from '../../model/errors.js';
import type { Random } from '../../model/random.js';
import type { Message } from '../core/types.js';
import type { Member } from '../node.js';
import { type InboundCall, type InboundOwner, serveInbound } from './inbound.js';
import { OutboundLane } from './outbound.js';
import { type Lane, lanes, raftServiceDefinition } from './service.js';
import type { Transport, TransportReceiver } from './transport.js';

export interface GrpcTransportOptions {
  clock: Clock;
  random: Random;
  log: Logger;
  /** How to reach a peer: credentials that accept only it, and channel options if any. Called for each new connection. */
  dial(peer: Member): { credentials: grpc.ChannelCredentials; options?: grpc.ChannelOptions };
  /** Who may call: gives the caller's node id, which must then be the member's; undefined: do not check. Throws ShoalError to refuse. */
  authorise(call: { getPeer(): string; metadata: grpc.Metadata }): string | undefined;
}

/** How long a stream may take to end by itself when the transport stops. */
const lingering_ms = 500;

// A host that vanishes answers no pings; without them TCP would go on trying for minutes after a partition has healed.
const channelDefaults: grpc.ChannelOptions = {
  'grpc.keepalive_time_ms': 2000,
  'grpc.keepalive_timeout_ms': 2000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
};

function laneOf(message: Message): Lane {
  if (message.type === 'append' || message.type === 'propose') return 'entries';
  return message.type === 'snapshot-chunk' ? 'snapshots' : 'control';
}

interface Peer {
  member: Member;
  client: grpc.Client;
  lanes: Map<Lane, OutboundLane>;
}

/** Raft over gRPC: to each peer one long-lived stream a lane, opened by the sender. Mount `definition` and `handlers` on the server. */
export class GrpcTransport implements Transport {
  readonly definition = raftServiceDefinition;
  readonly handlers: grpc.UntypedServiceImplementation;
  private self: Member | undefined;
  private receiver: TransportReceiver | undefined;
  private readonly peers = new Map<number, Peer>();
  private members = new Map<number, Member>();
  /** Members that have streams open to us: they can be answered even before the log says who they are. */
  private readonly callers = new Map<number, { member: Member; streams: number }>();
  private readonly closers = new Set<() => void>();
  private stopped = false;

  constructor(private readonly options: GrpcTransportOptions) {
    this.handlers = {
      Stream: (call: InboundCall, callback: grpc.sendUnaryData<Buffer>) => this.serve(call, callback),
    };
  }

  start(self: Member, receiver: TransportReceiver): void {
    this.self = self;
    this.receiver = receiver;
  }

  private serve(call: InboundCall, callback: grpc.sendUnaryData<Buffer>): void {
    const owner: InboundOwner = {
      self: this.stopped ? undefined : this.self,
      log: this.options.log,
      authorise: (inbound) => this.options.authorise(inbound),
      opened: (from) => this.opened(from),
      closed: (from) => {
        this.closers.delete(close);
        this.callerGone(from);
      },
      received: (messages) => this.receiver?.receive(messages),
    };
    const close = serveInbound(owner, call, callback);
    this.closers.add(close);
    call.once('close', () => this.closers.delete(close));
  }

  private opened(from: Member): void {
    const known = this.members.get(from.id);
    if (from.id === this.self?.id || (known !== undefined && known.nodeID !== from.nodeID)) {
      throw new ShoalError('forbidden', `member ${from.id} is another node`);
    }
    const caller = this.callers.get(from.id) ?? { member: from, streams: 0 };
    caller.member = from;
    caller.streams++;
    this.callers.set(from.id, caller);
    for (const lane of this.peers.get(from.id)?.lanes.values() ?? []) lane.alive();
  }

  private callerGone(from: Member): void {
    const caller = this.callers.get(from.id);
    if (caller === undefined) return;
    caller.streams--;
    if (caller.streams > 0) return;
    this.callers.delete(from.id);
    if (!this.members.has(from.id)) this.drop(from.id);
  }

  setPeers(peers: readonly Member[]): void {
    this.members = new Map(peers.map((member) => [member.id, member]));
    for (const [id, peer] of this.peers) {
      const member = this.members.get(id) ?? this.callers.get(id)?.member;
      if (member === undefined || member.address !== peer.member.address || member.nodeID !== peer.member.nodeID) {
        this.drop(id);
      }
    }
  }

  private drop(id: number): void {
    const peer = this.peers.get(id);
    if (peer === undefined) return;
    this.peers.delete(id);
    for (const lane of peer.lanes.values()) lane.stop();
    this.options.clock.after(lingering_ms, () => {
      for (const lane of peer.lanes.values()) lane.abort();
      peer.client.close();
    });
  }

  private connect(id: number): Peer | undefined {
    const member = this.members.get(id) ?? this.callers.get(id)?.member;
    if (member === undefined || this.self === undefined) return undefined;
    const { clock, random, log } = this.options;
    const dialled = this.options.dial(member);
    const client = new grpc.Client(member.address, dialled.credentials, { ...channelDefaults, ...dialled.options });
    const parts = {
      self: this.self,
      clock,
      random,
      log,
      unreachable: (lost: number) => this.receiver?.unreachable(lost),
    };
    const peer = {
      member,
      client,
      lanes: new Map(lanes.map((lane) => [lane, new OutboundLane(parts, member, client, lane)])),
    };
    this.peers.set(id, peer);
    return peer;
  }

  send(messages: readonly Message[]): void {
    if (this.stopped) return;
    const touched = new Set<OutboundLane>();
    for (const message of messages) {
      const lane = (this.peers.get(message.to) ?? this.connect(message.to))?.lanes.get(laneOf(message));
      if (lane === undefined) continue;
      lane.send(message);
      touched.add(lane);
    }
    for (const lane of touched) lane.flush();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.receiver = undefined;
    for (const close of [...this.closers]) close();
    const peers = [...this.peers.values()];
    this.peers.clear();
    for (const peer of peers) for (const lane of peer.lanes.values()) lane.stop();
    // What was written last (a hand-over, say) gets a moment to leave.
    if (peers.length > 0) await new Promise<void>((resolve) => this.options.clock.after(lingering_ms / 5, resolve));
    for (const peer of peers) {
      for (const lane of peer.lanes.values()) lane.abort();
      peer.client.close();
    }
  }
}
