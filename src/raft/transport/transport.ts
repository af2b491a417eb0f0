import type { Message } from '../core/types.js';
import type { Member } from '../node.js';

/** Carries messages between members: each at most a few times, in any order, or not at all. */
export interface Transport {
  /** Called once, before anything is sent. */
  start(self: Member, receiver: TransportReceiver): void;
  /** Who there is to talk to now; connections to others are closed. Members that connected to us can be answered all the same. */
  setPeers(peers: readonly Member[]): void;
  /** Never blocks and never throws; what cannot be sent is dropped and reported as `unreachable`. */
  send(messages: readonly Message[]): void;
  stop(): Promise<void>;
}

export interface TransportReceiver {
  receive(messages: readonly Message[]): void;
  /** Messages to this member were lost. */
  unreachable(id: number): void;
}
