// One of our managers' Raft as a process of its own, measured by raft.ts: `ID DIRECTORY KVPORT RAFTPORT,RAFTPORT,RAFTPORT`.
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { systemClock } from '../src/model/clock.js';
import { systemRandom } from '../src/model/random.js';
import { startRaft } from '../src/raft/driver.js';
import { nodeDisk } from '../src/raft/log/node-disk.js';
import type { StateMachine } from '../src/raft/node.js';
import { listenForRaft, quietLog } from '../test/helpers/raft-cluster.js';
import { framed, putPath, readRequest } from './raft-client.js';

const [id = '', directory = '', kvPort = '', raftPorts = ''] = process.argv.slice(2);
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
  async *snapshot() {
    for (const [key, value] of [...values])
      yield Buffer.from(JSON.stringify([key, Buffer.from(value).toString('hex')]));
  },
  async restore(_index, chunks) {
    for await (const chunk of chunks) {
      const [key, value] = JSON.parse(Buffer.from(chunk).toString()) as [string, string];
      values.set(key, Buffer.from(value, 'hex'));
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
