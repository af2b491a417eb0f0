import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import type { Logger } from 'winston';
import { systemClock } from '../../../src/model/clock.js';
import { messageType } from '../../../src/model/codec.js';
import { ShoalError } from '../../../src/model/errors.js';
import { agreedFormat } from '../../../src/model/format.js';
import { systemRandom } from '../../../src/model/random.js';
import type { Message } from '../../../src/raft/core/types.js';
import type { Member } from '../../../src/raft/node.js';
import { GrpcTransport } from '../../../src/raft/transport/grpc-transport.js';
import { streamPath } from '../../../src/raft/transport/service.js';
import { encodeHello, encodePieces } from '../../../src/raft/wire/frame.js';
import { encodeBatch } from '../../../src/raft/wire/message.js';
import { until } from '../../helpers/raft-cluster.js';

interface Station {
  member: Member;
  transport: GrpcTransport;
  received: Message[];
  unreachable: number[];
  warnings: string[];
  close(): Promise<void>;
}

const open: Station[] = [];

/** A transport on a gRPC server of its own, on loopback. `caller`: who its server takes every caller for. */
async function station(
  id: number,
  options: { port?: number; caller?: () => string | undefined } = {},
): Promise<Station> {
  const warnings: string[] = [];
  const say = () => {};
  const log = { debug: say, info: say, log: say, error: say, warn: (text: string) => warnings.push(text) };
  const transport = new GrpcTransport({
    clock: systemClock,
    random: systemRandom,
    log: log as unknown as Logger,
    dial: () => ({ credentials: grpc.credentials.createInsecure() }),
    authorise: options.caller ?? (() => undefined),
  });
  const server = new grpc.Server();
  server.addService(transport.definition, transport.handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${options.port ?? 0}`, grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const member = { id, nodeID: `node-${id}`, address: `127.0.0.1:${port}` };
  const received: Message[] = [];
  const unreachable: number[] = [];
  transport.start(member, {
    receive: (messages) => received.push(...messages),
    unreachable: (lost) => unreachable.push(lost),
  });
  const close = async () => {
    await transport.stop();
    server.forceShutdown();
  };
  const made = { member, transport, received, unreachable, warnings, close };
  open.push(made);
  return made;
}

const heartbeat = (from: number, to: number, commit = 0): Message => ({
  type: 'heartbeat',
  from,
  to,
  term: 1,
  commit,
  readSequence: 0,
});

function appendOf(data: Buffer): Message {
  const entry = { index: 1, term: 1, type: 'normal', data, session: 0, sequence: 0 } as const;
  return { type: 'append', from: 1, to: 2, term: 1, prevIndex: 0, prevTerm: 0, commit: 0, entries: [entry] };
}

function chunkOf(data: Buffer): Message {
  const envelope = { type: 'snapshot-chunk', from: 1, to: 2, term: 1 } as const;
  return { ...envelope, index: 1, logTerm: 1, offset: 0, total: data.length, data };
}

/** A stream of whatever `frames` are, as if from a broken or hostile peer. Resolves with the status that it ends with. */
function rawStream(to: Station, frames: Buffer[]): Promise<grpc.status> {
  const asIs = (bytes: Buffer) => bytes;
  const client = new grpc.Client(to.member.address, grpc.credentials.createInsecure());
  return new Promise((resolve) => {
    const call = client.makeClientStreamRequest<Buffer, Buffer>(streamPath, asIs, asIs, (error) => {
      client.close();
      resolve(error?.code ?? grpc.status.OK);
    });
    call.on('error', () => {});
    for (const frame of frames) call.write(frame);
  });
}

const slowLinks: Server[] = [];

/** A way to `port` on which little fits and which takes its time: a narrow line to another site. Gives the address of its near end. */
async function slowLink(port: number): Promise<string> {
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    near.on('data', (bytes) => {
      far.write(bytes);
      near.pause();
      setTimeout(() => near.resume(), Math.ceil(bytes.length / 4096));
    });
    far.pipe(near);
    near.on('close', () => far.destroy()).on('error', () => {});
    far.on('close', () => near.destroy()).on('error', () => {});
  });
  slowLinks.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('raft over gRPC', () => {
  afterEach(async () => {
    for (const link of slowLinks.splice(0)) link.close();
    for (const one of open.splice(0)) await one.close();
  });

  async function pair(): Promise<[Station, Station]> {
    const [one, two] = [await station(1), await station(2)];
    one.transport.setPeers([two.member]);
    two.transport.setPeers([one.member]);
    return [one, two];
  }

  it('brings messages in order, over one stream for each kind', async () => {
    const [one, two] = await pair();
    for (let commit = 1; commit <= 50; commit++)
      one.transport.send([heartbeat(1, 2, commit), heartbeat(1, 2, commit + 1000)]);
    await until('all of them', () => two.received.length === 100);
    const commits = two.received.map((message) => (message.type === 'heartbeat' ? message.commit : 0));
    assert.deepEqual(commits.slice(0, 4), [1, 1001, 2, 1002]);
    assert.equal(commits.at(-1), 1050);
  });

  it('brings an entry that is larger than gRPC takes in one message', async () => {
    const [one, two] = await pair();
    const data = Buffer.alloc(9 * 1024 * 1024, 'shoal');
    one.transport.send([appendOf(data)]);
    const message = await until('the entry', () => two.received[0]);
    assert.ok(message.type === 'append' && Buffer.compare(message.entries[0]?.data ?? data.subarray(1), data) === 0);
  });

  for (const [what, large] of [
    ['entries', (data: Buffer): Message => appendOf(data)],
    ['snapshots', (data: Buffer): Message => chunkOf(data)],
  ] as const) {
    it(`does not hold heartbeats up behind large ${what}, on a slow link either`, async () => {
      const [one, two] = [await station(1), await station(2)];
      const address = await slowLink(Number(two.member.address.split(':')[1]));
      one.transport.setPeers([{ ...two.member, address }]);
      one.transport.send([heartbeat(1, 2, 1)]);
      await until('the first', () => two.received.length === 1);
      one.transport.send([large(Buffer.alloc(9 * 1024 * 1024))]);
      for (let commit = 2; commit <= 5; commit++) {
        one.transport.send([heartbeat(1, 2, commit)]);
        await until('the next', () => two.received.length === commit);
      }
      assert.ok(two.received.every(({ type }) => type === 'heartbeat'));
      await until('what was large', () => two.received.some(({ type }) => type !== 'heartbeat'), 50_000);
    });
  }

  it('answers a member that is not known yet over the address that it gave', async () => {
    const [one, two] = [await station(1), await station(2)];
    one.transport.setPeers([two.member]);
    two.transport.setPeers([]);
    one.transport.send([heartbeat(1, 2)]);
    await until('the heartbeat', () => two.received.length === 1);
    two.transport.send([{ type: 'heartbeat-response', from: 2, to: 1, term: 1, readSequence: 0 }]);
    await until('the answer', () => one.received.length === 1);
  });

  it('finds a peer again that was gone, and says meanwhile that it was', async () => {
    const [one, two] = await pair();
    one.transport.send([heartbeat(1, 2)]);
    await until('the first', () => two.received.length === 1);
    await two.close();
    await until('the loss', () => {
      one.transport.send([heartbeat(1, 2)]);
      return one.unreachable.includes(2);
    });
    const again = await station(2, { port: Number(two.member.address.split(':')[1]) });
    await until('the next', () => {
      one.transport.send([heartbeat(1, 2)]);
      return again.received.length > 0;
    });
  });

  it('cuts a peer off that sends garbage, and goes on with the others', async () => {
    const [one, two] = await pair();
    const hello = encodeHello(one.member, 2);
    const frame = messageType('RaftFrame');
    const From = { ID: 1, NodeID: one.member.nodeID, Address: one.member.address };
    const newer = frame.fromObject({ Hello: { From, To: 2, Format: agreedFormat + 1 } });
    const garbage: Record<string, Buffer[]> = {
      'no hello': encodePieces(encodeBatch([heartbeat(1, 2)])),
      noise: [Buffer.from('this is no frame at all')],
      'noise after the hello': [hello, ...encodePieces(Buffer.from('this is no batch at all'))],
      'two hellos': [hello, hello],
      'a hello of a build that writes another log': [Buffer.from(frame.encode(newer).finish())],
      'a hello for another': [encodeHello(one.member, 3)],
      'nothing, for ever': [hello, Buffer.from([0x18, 1])], // More, and no Piece
      'words of another': [hello, ...encodePieces(encodeBatch([heartbeat(3, 2)]))],
    };
    for (const [what, frames] of Object.entries(garbage)) {
      const before = two.warnings.length;
      assert.equal(await rawStream(two, frames), grpc.status.INVALID_ARGUMENT, what);
      assert.equal(two.warnings.length, before + 1, what);
    }
    assert.deepEqual(two.received, []);
    one.transport.send([heartbeat(1, 2)]);
    await until('an honest one', () => two.received.length === 1);
  });

  it('does not gather a batch without end', async () => {
    const [one, two] = await pair();
    const piece = encodePieces(Buffer.alloc(600 * 1024))[0] as Buffer;
    const frames = [encodeHello(one.member, 2), ...Array.from({ length: 80 }, () => piece)];
    assert.equal(await rawStream(two, frames), grpc.status.INVALID_ARGUMENT);
  });

  it('lets in only who may call, and only as itself', async () => {
    const strict = await station(1, {
      caller: () => {
        throw new ShoalError('forbidden', 'managers only');
      },
    });
    const other = await station(2);
    assert.equal(await rawStream(strict, [encodeHello(other.member, 1)]), grpc.status.PERMISSION_DENIED);
    const knowing = await station(3, { caller: () => 'node-9' });
    assert.equal(await rawStream(knowing, [encodeHello(other.member, 3)]), grpc.status.INVALID_ARGUMENT);
    const member = await station(4);
    member.transport.setPeers([{ ...other.member, nodeID: 'node-2-before' }]);
    assert.equal(await rawStream(member, [encodeHello(other.member, 4)]), grpc.status.UNAVAILABLE);
  });
});
