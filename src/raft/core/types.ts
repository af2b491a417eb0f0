import type { Member } from '../node.js';

/** `noop` opens a leader's term (dissertation 6.4); `membership` carries the whole membership that it brings about. */
export type EntryType = 'normal' | 'membership' | 'noop';

export interface Entry {
  readonly index: number;
  readonly term: number;
  readonly type: EntryType;
  readonly data: Uint8Array;
  /** Which run of which member proposed it; 0 when nobody waits for it. */
  readonly session: number;
  /** Counts the proposals of a session. (session, sequence) is in the committed log at most once. */
  readonly sequence: number;
}

/** Roughly what an entry takes on the wire and on disk, in bytes; every limit counts with it. */
export function entrySize(entry: Entry): number {
  return entry.data.length + 32;
}

/** What must be on disk before a message that depends on it leaves. `commit` rides along to speed up a restart. */
export interface HardState {
  term: number;
  /** The candidate that got this member's vote in `term`; 0: none. */
  vote: number;
  commit: number;
}

/** Who takes part. Sorted by id, no id twice over both lists. */
export interface Membership {
  readonly voters: readonly Member[];
  /** Get the log but have no vote; each becomes a voter as soon as it has caught up. */
  readonly learners: readonly Member[];
}

/** What a snapshot stands for: the log up to and including `index`. */
export interface SnapshotMeta {
  readonly index: number;
  readonly term: number;
  readonly membership: Membership;
}

interface Envelope {
  readonly from: number;
  readonly to: number;
  /** The sender's term, except in `pre-vote` and a granting `pre-vote-response`: the term the candidate would start. */
  readonly term: number;
}

/** What members say to each other. */
export type Message = Envelope &
  (
    | { readonly type: 'pre-vote'; readonly lastIndex: number; readonly lastTerm: number }
    | { readonly type: 'pre-vote-response'; readonly reject: boolean }
    /** `transfer`: the leader itself asked for this election, so that its lease does not count. */
    | { readonly type: 'vote'; readonly lastIndex: number; readonly lastTerm: number; readonly transfer: boolean }
    | { readonly type: 'vote-response'; readonly reject: boolean }
    | {
        readonly type: 'append';
        readonly prevIndex: number;
        readonly prevTerm: number;
        readonly commit: number;
        readonly entries: readonly Entry[];
      }
    /** Accepted: the logs agree up to `index`. Rejected: `index` is the prevIndex that did not match, the hint where they may. */
    | {
        readonly type: 'append-response';
        readonly index: number;
        readonly reject: boolean;
        readonly hintIndex: number;
        readonly hintTerm: number;
      }
    | { readonly type: 'heartbeat'; readonly commit: number; readonly readSequence: number }
    /** Entries that the member has are committed now; wants no answer. */
    | { readonly type: 'commit'; readonly commit: number }
    | { readonly type: 'heartbeat-response'; readonly readSequence: number }
    | { readonly type: 'timeout-now' }
    /** Counts only while its term is the leader's. Every sequence below `lowest` is settled. */
    | {
        readonly type: 'propose';
        readonly session: number;
        readonly sequence: number;
        readonly lowest: number;
        readonly data: Uint8Array;
      }
    /** Only refusals are told: what was accepted is seen when it is applied. */
    | { readonly type: 'propose-refused'; readonly session: number; readonly sequence: number; readonly reason: string }
    | { readonly type: 'read'; readonly request: number }
    | { readonly type: 'read-response'; readonly request: number; readonly index: number }
    /** Bytes of a snapshot file, `offset` onwards. */
    | {
        readonly type: 'snapshot-chunk';
        readonly index: number;
        readonly logTerm: number;
        readonly offset: number;
        readonly total: number;
        readonly data: Uint8Array;
      }
    /** The receiver has the file up to `offset`. */
    | {
        readonly type: 'snapshot-progress';
        readonly index: number;
        readonly logTerm: number;
        readonly offset: number;
      }
  );

export type MessageType = Message['type'];
export type MessageOf<T extends MessageType> = Extract<Message, { type: T }>;

/** Roughly what a message takes on the wire, in bytes; for limits and batches. */
export function messageSize(message: Message): number {
  let size = 64;
  if (message.type === 'append') for (const entry of message.entries) size += entrySize(entry);
  else if (message.type === 'propose' || message.type === 'snapshot-chunk') size += message.data.length;
  return size;
}
