import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { messageOf, ShoalError } from '../model/errors.js';
import { isID } from '../model/ids.js';
import { lostFileAdvice, replaceFile } from '../security/files.js';
import type { NodeRole } from '../security/identity.js';

/** What a node must know of itself to come back into its cluster: the content of node.json. */
export interface NodeState {
  nodeID: string;
  clusterID: string;
  /** The role it runs as; its certificate says the same, but for the moment of a change. */
  role: NodeRole;
  /** host:port of its own cluster port. */
  listenAddress: string;
  /** host:port other nodes reach it at. */
  advertiseAddress: string;
  /** Address for the data plane between nodes; that of `advertiseAddress` when ''. */
  dataPathAddress: string;
  /** As a member of the managers' Raft group; 0 when it is none (yet). */
  raftID: number;
  /** The member it last was, whose log it deleted: it may have voted as that one, and must not be it again. 0: none. */
  forgottenRaftID: number;
  /** The managers it knows: where it looks for a session after a restart. */
  managers: { NodeID: string; Addr: string }[];
  /** The nodes whose manager's certificates count, as managers last said, and as of which entry of their log; none: not told yet. */
  trustedManagers: string[];
  trustedAsOf: number;
}

const formatVersion = 1;

/** Where in the state directory things are. */
export class StateDirectory {
  constructor(readonly path: string) {}

  get nodeFile() {
    return join(this.path, 'node.json');
  }
  get certificates() {
    return join(this.path, 'certificates');
  }
  get raft() {
    return join(this.path, 'raft');
  }

  /** The node's state; undefined when it is in no cluster. Throws naming the file: `failed-precondition` when it is damaged, `internal` when it cannot be read. */
  async load(): Promise<NodeState | undefined> {
    let text: string;
    try {
      text = await readFile(this.nodeFile, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new ShoalError('internal', `${this.nodeFile}: cannot be read: ${messageOf(error)}`, { cause: error });
    }
    try {
      return parse(text);
    } catch (error) {
      throw new ShoalError('failed-precondition', `${this.nodeFile}: damaged: ${messageOf(error)}. ${lostFileAdvice}`, {
        cause: error,
      });
    }
  }

  /** What is there of a member's keys and log, `node.json` or not. */
  async remains(): Promise<string[]> {
    const names = await readdir(this.path).catch((): string[] => []);
    return [this.certificates, this.raft].filter((path) => names.includes(basename(path)));
  }

  /** On disk when it resolves. */
  async save(state: NodeState): Promise<void> {
    await replaceFile(this.nodeFile, `${JSON.stringify({ format: formatVersion, ...state }, null, 2)}\n`, 0o600);
  }

  /** Forgets the cluster: node.json first, so that a crash in between leaves a node that is in none. */
  async clear(): Promise<void> {
    await rm(this.nodeFile, { recursive: true, force: true }); // whatever was put in its place
    await rm(this.certificates, { recursive: true, force: true });
    await this.clearRaft();
  }

  async clearRaft(): Promise<void> {
    await rm(this.raft, { recursive: true, force: true });
  }
}

function parse(text: string): NodeState {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new Error('it is not an object');
  const fields = value as Record<string, unknown>;
  if (fields.format !== formatVersion) throw new Error(`format: ${String(fields.format)} is not ${formatVersion}`);
  const string = (name: string): string => {
    const field = fields[name];
    if (typeof field !== 'string') throw new Error(`${name}: not a string`);
    return field;
  };
  const { role, raftID, forgottenRaftID = 0, managers, trustedManagers = [], trustedAsOf = 0 } = fields;
  if (role !== 'worker' && role !== 'manager') throw new Error('role: neither worker nor manager');
  for (const [name, number] of Object.entries({ raftID, forgottenRaftID, trustedAsOf })) {
    if (!Number.isSafeInteger(number) || Number(number) < 0) throw new Error(`${name}: not a number`);
  }
  if (!Array.isArray(managers)) throw new Error('managers: not a list');
  if (!Array.isArray(trustedManagers)) throw new Error('trustedManagers: not a list');
  for (const name of ['nodeID', 'clusterID']) if (!isID(string(name))) throw new Error(`${name}: not an id`);
  return {
    nodeID: string('nodeID'),
    clusterID: string('clusterID'),
    role,
    listenAddress: string('listenAddress'),
    advertiseAddress: string('advertiseAddress'),
    dataPathAddress: string('dataPathAddress'),
    raftID: Number(raftID),
    forgottenRaftID: Number(forgottenRaftID),
    trustedManagers: trustedManagers.map(String),
    trustedAsOf: Number(trustedAsOf),
    managers: managers.map((manager: { NodeID?: unknown; Addr?: unknown }) => ({
      NodeID: String(manager?.NodeID ?? ''),
      Addr: String(manager?.Addr ?? ''),
    })),
  };
}
