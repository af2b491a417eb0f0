import { access, readdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { messageOf, ShoalError } from '../model/errors.js';
import type { Operation } from '../model/types.js';
import type { Entry, Membership } from '../raft/core/types.js';
import type { Disk } from '../raft/log/disk.js';
import { type Inspection, inspectLog, isSealed } from '../raft/log/inspect.js';
import { readOnlyDisk } from '../raft/log/node-disk.js';
import { recordTypes } from '../raft/log/record.js';
import type { SeenRecord } from '../raft/log/recovery.js';
import type { Sealer } from '../raft/log/sealer.js';
import { decodeHead, decodePosition, segmentNumber } from '../raft/log/segment.js';
import { parseSnapshotName } from '../raft/log/snapshot-file.js';
import { decodeEntry } from '../raft/wire/entry.js';
import { decodeHardState, decodeMembership } from '../raft/wire/membership.js';
import { KeyRing } from '../security/key-ring.js';
import { loadNodeFile } from '../security/node-file.js';
import { decodeTransaction } from '../store/entry.js';
import { StateDirectory } from './state.js';

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

/**
 * What a manager keeps of the Raft log below a state directory, or in a copy of its `raft` directory with the `certificates` directory, which
 * has the keys, beside it. Nothing is changed.
 */
export class RaftState {
  private constructor(
    private readonly disk: Disk,
    private readonly sealer: Sealer | undefined,
  ) {}

  /**
   * Throws ShoalError `not-found` when there is no such directory, or no log in it, or no key to it; `locked` when its keys are locked
   * and `unlockKey` does not open them.
   */
  static async at(directory: string, unlockKey = ''): Promise<RaftState> {
    const raft = await raftDirectory(directory);
    const disk = readOnlyDisk(raft);
    const keys = new StateDirectory(dirname(resolve(raft))).certificates;
    const hasKeys = await access(keys).then(
      () => true,
      () => false,
    );
    const { dataKeys } = hasKeys ? await loadNodeFile(keys, unlockKey) : { dataKeys: [] };
    if (dataKeys.length > 0) return new RaftState(disk, new KeyRing(dataKeys));
    if (!(await isSealed(disk))) return new RaftState(disk, undefined);
    throw new ShoalError('not-found', `${raft}: the log is encrypted, and its keys are not in ${keys}`);
  }

  inspect(): Promise<Inspection> {
    return inspectLog(this.disk, { sealer: this.sealer });
  }

  /** Calls `line` for each record of the log in the order they were written, as far as they can be read. */
  dump(line: (line: RecordLine) => void): Promise<Inspection> {
    return inspectLog(this.disk, { sealer: this.sealer, seen: (record) => line(described(record)) });
  }
}

async function raftDirectory(directory: string): Promise<string> {
  const names = await namesIn(directory);
  const hasLog = names.some((name) => segmentNumber(name) !== undefined || parseSnapshotName(name) !== undefined);
  if (hasLog) return directory;
  if (names.includes('raft')) return new StateDirectory(directory).raft;
  throw new ShoalError(
    'not-found',
    `${directory}: no raft log: a manager's state directory (with "raft" in it), or a copy of its "raft" directory, is expected`,
  );
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
    const { Operations, Origin } = decodeTransaction(entry.data);
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
