import { join } from 'node:path';
import protobuf from 'protobufjs';
import type * as model from './generated/index.js';
import { packageRoot } from './paths.js';
import { plainOfBytes } from './plain-reader.js';
import { bytesOfPlain } from './plain-writer.js';

/** Message types by name, as the generator declares them. `decode('Task', …)` is a `Task`. */
export interface MessageTypes {
  Transaction: model.Transaction;
  Operation: model.Operation;
  SnapshotRecord: model.SnapshotRecord;
  Cluster: model.Cluster;
  Node: model.Node;
  Service: model.Service;
  ServiceSpec: model.ServiceSpec;
  Task: model.Task;
  TaskSpec: model.TaskSpec;
  TaskStatus: model.TaskStatus;
  Network: model.Network;
  NetworkSpec: model.NetworkSpec;
  NetworkCreateRequest: model.NetworkCreateRequest;
  NetworkAnswer: model.NetworkAnswer;
  Routes: model.Routes;
  NodeSpec: model.NodeSpec;
  Secret: model.Secret;
  SecretSpec: model.SecretSpec;
  Config: model.Config;
  ConfigSpec: model.ConfigSpec;
  UpdateConfig: model.UpdateConfig;
  NodeResources: model.NodeResources;
  Preview: model.Preview;
  SwarmSpec: model.SwarmSpec;
  NodeDescription: model.NodeDescription;
  RaftMessage: model.RaftMessage;
  RaftBatch: model.RaftBatch;
  RaftEntry: model.RaftEntry;
}
export type MessageName = keyof MessageTypes;

/** Messages as plain objects with every default filled in; absent sub-messages are null, 64-bit integers numbers. */
const toPlain: protobuf.IConversionOptions = {
  longs: Number,
  enums: String,
  defaults: true,
  arrays: true,
  objects: true,
};

let root: protobuf.Root | undefined;

/** The types of proto/*.proto, loaded once; what has reflection on the model (codec, JSON, RPC) starts here. */
export function modelRoot(): protobuf.Root {
  if (root === undefined) {
    root = new protobuf.Root();
    root.resolvePath = (_origin, target) => join(packageRoot(), 'proto', target);
    root.loadSync(
      ['objects', 'store', 'dispatcher', 'ca', 'tunnel', 'membership', 'raft', 'preview'].map(
        (name) => `${name}.proto`,
      ),
      { keepCase: true },
    );
    root.resolveAll();
  }
  return root;
}

const types = new Map<string, protobuf.Type>();

export function messageType(name: string): protobuf.Type {
  let type = types.get(name);
  if (type === undefined) {
    type = modelRoot().lookupType(`shoal.${name}`);
    types.set(name, type);
  }
  return type;
}

/**
 * Wire bytes of a message; absent fields may be left out of `value`, or be null. Its types are trusted to be right: what comes from outside was
 * checked where it came in.
 */
export function encode<N extends MessageName>(name: N, value: object): Uint8Array {
  return bytesOfPlain(messageType(name), value);
}

/** A message from its wire bytes, with every default filled in (absent sub-messages are null). Throws on broken bytes. */
export function decode<N extends MessageName>(name: N, bytes: Uint8Array): MessageTypes[N] {
  return plainOfBytes(messageType(name), bytes) as MessageTypes[N];
}

/** A partial value made whole: every default filled in. Unknown fields are dropped. The result shares nothing with `value`. */
export function complete<N extends MessageName>(name: N, value: object): MessageTypes[N] {
  const type = messageType(name);
  return type.toObject(type.fromObject(value), toPlain) as MessageTypes[N];
}
