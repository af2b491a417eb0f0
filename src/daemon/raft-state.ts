import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { decode } from '../model/codec.js';
import { messageOf, ShoalError } from '../model/errors.js';
import type { Operation } from '../model/types.js';
import type { Entry, Membership } from '../raft/core/types.js';
import { type Inspection, inspectLog } from '../raft/log/inspect.js';
import { readOnlyDisk } from '../raft/log/node-disk.js';
import { recordTypes } from '../raft/log/record.js';
import type { SeenRecord } from '../raft/log/recovery.js';
import { decodeHead, decodePosition, segmentNumber } from '../raft/log/segment.js';
import { parseSnapshotName } from '../raft/log/snapshot-file.js';
import { decodeEntry } from '../raft/wire/entry.js';
import { decodeHardState, decodeMembership } from '../raft/wire/membership.js';

/** One record of the log, in words. Secrets are named, never shown. */
export interface RecordLine {
  file: string;
  offset: number;
  bytes: number;
  type: string;
  /** 0 of what is no entry. */
  index: number;
  term: number;
  content: string;
}

/** What a manager keeps of the Raft log below a state directory, or in a copy of its `raft` directory. Nothing is changed. */
export class RaftState {
  private constructor(readonly directory: string) {}

  /** Throws ShoalError `not-found` when there is no such directory, or no log in it. */
  static async at(directory: string): Promise<RaftState> {
    const names = await namesIn(directory);
    const hasLog = names.some((name) => segmentNumber(name) !== undefined || parseSnapshotName(name) !== undefined);
    if (hasLog) return new RaftState(directory);
    if (names.includes('raft')) return new RaftState(join(directory, 'raft'));
    throw new ShoalError(
      'not-found',
      `${directory}: no raft log: a manager's state directory (with "raft" in it), or a copy of its "raft" directory, is expected`,
    );
  }

  inspect(): Promise<Inspection> {
    return inspectLog(readOnlyDisk(this.directory));
  }

  /** Calls `line` for each record of the log in the order they were written, as far as they can be read. */
  dump(line: (line: RecordLine) => void): Promise<Inspection> {
    return inspectLog(readOnlyDisk(this.directory), { seen: (record) => line(described(record)) });
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    throw new ShoalError('not-found', `${directory}: cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function described(record: SeenRecord): RecordLine {
  const { file, offset, bytes, payload } = record;
  const place = { file, offset, bytes, index: 0, term: 0 };
  switch (record.type) {
    case recordTypes.entry: {
      const entry = decodeEntry(payload);
      const { index, term, type } = entry;
      return { ...place, type, index, term, content: contentOf(entry) };
    }
    case recordTypes.hardState: {
      const { term, vote, commit } = decodeHardState(payload);
      return { ...place, type: 'state', term, content: `vote ${vote}, committed ${commit}` };
    }
    case recordTypes.reset: {
      const { index, term } = decodePosition(payload);
      return { ...place, type: 'reset', index, term, content: 'the log starts over from a snapshot' };
    }
    default: {
      const { previous, hardState } = decodeHead(payload);
      const content = `after entry ${previous.index}; vote ${hardState.vote}, committed ${hardState.commit}`;
      return { ...place, type: 'head', term: hardState.term, content };
    }
  }
}

function contentOf(entry: Entry): string {
  if (entry.type === 'noop') return 'opens the term';
  try {
    if (entry.type === 'membership') return membersIn(decodeMembership(entry.data));
    const { Operations, Origin } = decode('Transaction', entry.data);
    return `${Origin}: ${Operations.map(operationIn).join(', ')}`;
  } catch (error) {
    return `${entry.data.length} bytes that cannot be read: ${messageOf(error)}`;
  }
}

/** Members by id and address; learners in brackets. */
export function membersIn({ voters, learners }: Membership): string {
  const voting = voters.map(({ id, address }) => `${id} ${address}`);
  return [...voting, ...learners.map(({ id, address }) => `(${id} ${address})`)].join(', ');
}

const objectKinds = ['Cluster', 'Node', 'Service', 'Task', 'Network', 'Secret', 'Config'] as const;

function operationIn(operation: Operation): string {
  const kind = objectKinds.find((each) => (operation[each] ?? undefined) !== undefined) ?? operation.Kind;
  return `${operation.Action} ${kind.toLowerCase()} ${operation.ID}`;
}
