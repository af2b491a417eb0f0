import type * as grpc from '@grpc/grpc-js';

const asIs = (bytes: Buffer): Buffer => bytes;

/** `Raft.Stream` of proto/raft.proto with frames as plain bytes: src/raft/wire reads and writes them. */
export const streamPath = '/shoal.Raft/Stream';

export const raftServiceDefinition: grpc.ServiceDefinition = {
  Stream: {
    path: streamPath,
    requestStream: true,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
};

/** One of the streams to a peer, so that a large entry never holds up a heartbeat. */
export const lanes = ['control', 'entries', 'snapshots'] as const;
export type Lane = (typeof lanes)[number];
