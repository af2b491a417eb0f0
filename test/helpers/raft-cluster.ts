import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import winston from 'winston';
import { systemClock } from '../../src/model/clock.js';
import { systemRandom } from '../../src/model/random.js';
import { startRaft } from '../../src/raft/driver.js';
import { nodeDisk } from '../../src/raft/log/node-disk.js';
import type { Member, RaftNode, StateMachine } from '../../src/raft/node.js';
import type { RaftOptions } from '../../src/raft/options.js';
import { GrpcTransport } from '../../src/raft/transport/grpc-transport.js';

/** A list of texts: what was applied, in order. */
export class ListMachine implements StateMachine {
  items: string[] = [];
  /** How many were asked for. */
  snapshots = 0;

  apply(_index: number, data: Uint8Array): unknown {
    this.items.push(Buffer.from(data).toString());
    return this.items.length;
  }

  async *snapshot(): AsyncIterable<Uint8Array> {
    this.snapshots++;
    const items = [...this.items];
    for (let at = 0; at < items.length; at += 100) yield Buffer.from(JSON.stringify(items.slice(at, at + 100)));
  }

  async restore(_index: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const items: string[] = [];
    for await (const chunk of chunks) items.push(...JSON.parse(Buffer.from(chunk).toString()));
    this.items = items;
  }
}

export const quietLog = winston.createLogger({
  level: process.env.RAFT_LOG ?? 'error',
  transports: [new winston.transports.Console({ stderrLevels: ['error', 'warn', 'info', 'debug'] })],
});

export interface RealNode {
  member: Member;
  node: RaftNode;
  machine: ListMachine;
  stop(): Promise<void>;
}

/** A transport on a gRPC server of its own at `address`, without protection: whoever calls is taken for whom it says it is. */
export async function listenForRaft(address: string) {
  const transport = new GrpcTransport({
    clock: systemClock,
    random: systemRandom,
    log: quietLog,
    dial: () => ({ credentials: grpc.credentials.createInsecure() }),
    authorise: () => undefined,
  });
  const server = new grpc.Server();
  server.addService(transport.definition, transport.handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { transport, server, port };
}

/** Managers in this process: real disks in a temporary directory, real gRPC on loopback. */
export class RealCluster {
  readonly nodes = new Map<number, RealNode>();
  private readonly addresses = new Map<number, string>();

  private constructor(private readonly folder: string) {}

  static async create(): Promise<RealCluster> {
    return new RealCluster(await mkdtemp(join(tmpdir(), 'shoal-raft-')));
  }

  folderOf(id: number): string {
    return join(this.folder, String(id));
  }

  /** Starts a member on the directory that it had before, if any. */
  async start(id: number, options: Partial<RaftOptions> = {}): Promise<RealNode> {
    const { transport, server, port } = await listenForRaft(this.addresses.get(id) ?? '127.0.0.1:0');
    this.addresses.set(id, `127.0.0.1:${port}`);
    const member = { id, nodeID: `node-${id}`, address: `127.0.0.1:${port}` };
    const machine = new ListMachine();
    const node = await startRaft({
      self: member,
      disk: await nodeDisk(this.folderOf(id)),
      transport,
      stateMachine: machine,
      clock: systemClock,
      random: systemRandom,
      log: quietLog,
      tick_ms: 20,
      ...options,
    });
    const stop = async () => {
      await node.stop();
      server.forceShutdown();
      this.nodes.delete(id);
    };
    const real = { member, node, machine, stop };
    this.nodes.set(id, real);
    return real;
  }

  async leader(): Promise<RealNode> {
    return until('a leader', () =>
      [...this.nodes.values()].find(({ node }) => {
        const { role, id, term } = node.status();
        return (
          role === 'leader' && [...this.nodes.values()].every((other) => other.node.status().term <= term) && id > 0
        );
      }),
    );
  }

  async destroy(): Promise<void> {
    for (const real of [...this.nodes.values()]) await real.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Waits for `look` to give something. */
export async function until<T>(what: string, look: () => T | undefined | false, limit_ms = 20_000): Promise<T> {
  const end = Date.now() + limit_ms;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
