// One of our managers' Raft as a process of its own, measured by raft.ts: `ID DIRECTORY KVPORT RAFTPORT,RAFTPORT,RAFTPORT SNAPSHOTEVERY`.
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { systemClock } from '../src/model/clock.js';
import { systemRandom } from '../src/model/random.js';
import { startRaft } from '../src/raft/driver.js';
import { nodeDisk } from '../src/raft/log/node-disk.js';
import type { StateMachine } from '../src/raft/node.js';
import { listenForRaft, quietLog } from '../test/helpers/raft-cluster.js';
import { framed, putPath, putRequest, readRequest } from './raft-client.js';

const [id = '', directory = '', kvPort = '', raftPorts = '', snapshotEvery = ''] = process.argv.slice(2);
const chunkBytes = 64 * 1024;
const members = raftPorts
  .split(',')
  .map((port, place) => ({ id: place + 1, nodeID: `node-${place + 1}`, address: `127.0.0.1:${port}` }));
const self = members[Number(id) - 1] as (typeof members)[number];

const values = new Map<string, Uint8Array>();
const stateMachine: StateMachine = {
  apply(_index, data) {
    const { key, value } = readRequest(data);
    values.set(key, value);
  },
  // As the managers' own: of what there is now, in chunks, and others have their turn between two of them.
  async *snapshot() {
    const all = [...values];
    for (let at = 0; at < all.length; ) {
      const parts: Buffer[] = [];
      for (let bytes = 0; at < all.length && bytes < chunkBytes; at++) {
        const [key, value] = all[at] as [string, Uint8Array];
        const put = framed(putRequest(key, value)); // the frame says how long it is
        parts.push(put);
        bytes += put.length;
      }
      yield Buffer.concat(parts);
      await new Promise(setImmediate);
    }
  },
  async restore(_index, chunks) {
    for await (const chunk of chunks) {
      const bytes = Buffer.from(chunk);
      for (let at = 0; at < bytes.length; ) {
        const end = at + 5 + bytes.readUInt32BE(at + 1);
        const { key, value } = readRequest(bytes.subarray(at + 5, end));
        values.set(key, value);
        at = end;
      }
    }
  },
};

const { transport } = await listenForRaft(self.address);
const raft = await startRaft({
  self,
  disk: await nodeDisk(directory),
  transport,
  stateMachine,
  clock: systemClock,
  random: systemRandom,
  log: quietLog,
  bootstrap: members,
  snapshotEveryEntries: Number(snapshotEvery),
  defer: setImmediate,
});

const empty = framed(new Uint8Array(0));

async function answer(stream: ServerHttp2Stream, path: string, request: Buffer): Promise<void> {
  let status = '0';
  try {
    if (path === putPath) await raft.propose(request.subarray(5));
    else await raft.readBarrier();
  } catch {
    status = '14';
  }
  if (stream.destroyed) return;
  const value = path === putPath ? undefined : values.get(readRequest(request.subarray(5)).key);
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
  stream.end(value === undefined ? empty : framed(value));
}

const server = createServer({ settings: { maxConcurrentStreams: 10_000 } });
server.on('stream', (stream, headers) => {
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  stream.on('error', () => {});
  stream.on('end', () => void answer(stream, headers[':path'] ?? '', Buffer.concat(parts)));
});
server.listen(Number(kvPort), '127.0.0.1');
const tell = () => process.send?.({ leads: raft.status().role === 'leader' });
raft.onStatus(tell);
tell();
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
