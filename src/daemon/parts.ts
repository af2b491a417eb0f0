import type { Duplex } from 'node:stream';
import type { Logger } from 'winston';
import type { OpenedRaft } from '../manager/composition/manager.js';
import type { Clock } from '../model/clock.js';
import type { Random } from '../model/random.js';
import type { Sealer } from '../raft/log/sealer.js';
import type { Member, StateMachine } from '../raft/node.js';
import type { Dialer, ServiceHost } from '../security/identity.js';
import type { WorkerPlace, WorkerSide } from './worker-side.js';

/** One membership of a Raft group: who, where on disk, over which connections. */
export interface RaftPlace {
  self: Member;
  directory: string;
  /** Encrypts what is kept there. */
  sealer: Sealer;
  isFirst: boolean;
  forceNewCluster: boolean;
  stateMachine: StateMachine;
  listener: ServiceHost;
  dialer: Dialer;
  /** Raft cannot go on (its disk failed, say) and has stopped itself. */
  onFatal: (error: Error) => void;
}

/** What a member of a cluster is made of; tests hand in others than the daemon does. */
export interface Parts {
  clock: Clock;
  random: Random;
  log: Logger;
  /** A fresh byte stream to the node's own Docker Engine API. */
  connectEngine: () => Promise<Duplex>;
  /** One that is read in large pieces: for answers that go on. */
  streamEngine: () => Promise<Duplex>;
  /** Makes `directory` ready for a new member: from then on `openRaft` refuses one that is empty. */
  prepareRaft: (directory: string, sealer: Sealer) => Promise<void>;
  openRaft: (place: RaftPlace) => Promise<OpenedRaft>;
  startWorker: (place: WorkerPlace) => WorkerSide;
  /** Removes what the node's tasks have left on this machine, when its worker's side runs no more. Never rejects. */
  clearNode: (nodeID: string) => Promise<void>;
  /** The member has become a manager, or is none any more. */
  onManager?: () => void;
}
