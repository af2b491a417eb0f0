import { EventEmitter } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import type { World } from '../world.js';
import type { Links } from './links.js';
import { Pipe } from './pipe.js';
import type { Trace } from './trace.js';

/** What travels on a call, in either direction. */
export type Item =
  | { kind: 'open' | 'headers' | 'half-close' | 'cancel' | 'reset' }
  | { kind: 'message'; bytes: Buffer }
  | { kind: 'status'; status: Partial<grpc.StatusObject> };

/** The writer is told to wait while more than this is on its way: what buffers between two programs hold. */
const highWater = 16;

export type Method = grpc.MethodDefinition<object, object>;

/** What calls go over. */
export interface Wiring {
  world: World;
  links: Links;
  trace: Trace;
  /** The process that listens on the host, if one does. */
  portOf(
    host: string,
  ): { alive: () => boolean; handlerOf(path: string): ((call: ServerEnd) => void) | undefined } | undefined;
}

/** One end of a call. Its owner is a process, which may be dead. */
abstract class End extends EventEmitter {
  isOver = false;
  private mustDrain = false;
  abstract readonly pipe: Pipe<Item>;
  protected abstract encode(message: object): Buffer;

  constructor(private readonly alive: () => boolean) {
    super();
  }

  get writableLength(): number {
    return this.pipe.length;
  }

  write(message: object): boolean {
    if (this.isOver || !this.alive()) return false;
    this.pipe.send({ kind: 'message', bytes: this.encode(message) });
    if (this.pipe.length < highWater) return true;
    this.mustDrain = true;
    return false;
  }

  /** The other end has taken what was sent. */
  drained(): void {
    if (!this.mustDrain || this.pipe.length >= highWater) return;
    this.mustDrain = false;
    this.tell('drain');
  }

  tell(event: string, ...values: unknown[]): void {
    if (this.alive()) this.emit(event, ...values);
  }
}

export class ClientEnd extends End {
  constructor(
    private readonly call: Call,
    readonly pipe: Pipe<Item>,
  ) {
    super(call.clientAlive);
    this.on('error', () => {});
  }

  protected encode(message: object): Buffer {
    return this.call.method.requestSerialize(message);
  }

  end(): void {
    if (!this.isOver) this.pipe.send({ kind: 'half-close' });
  }

  cancel(): void {
    if (this.isOver) return;
    this.pipe.send({ kind: 'cancel' });
    this.fail(grpc.status.CANCELLED, 'Cancelled on client');
  }

  fail(code: grpc.status, details: string, metadata = new grpc.Metadata()): void {
    if (this.isOver) return;
    this.isOver = true;
    this.call.ended();
    const error = Object.assign(new Error(`${code} ${details}`), { code, details, metadata });
    this.call.network.world.after(0, () => this.tell('error', error));
  }

  receive(item: Item): void {
    if (this.isOver) return;
    if (item.kind === 'headers') this.tell('metadata', new grpc.Metadata());
    else if (item.kind === 'message') this.tell('data', this.call.method.responseDeserialize(item.bytes));
    else if (item.kind === 'reset') this.fail(grpc.status.UNAVAILABLE, 'Connection dropped');
    else if (item.kind === 'status') {
      const { code = grpc.status.OK, details = '', metadata } = item.status;
      if (code !== grpc.status.OK) this.fail(code, details, metadata);
      this.isOver = true;
      this.call.network.world.after(0, () => this.tell('end'));
    }
  }
}

export class ServerEnd extends End {
  readonly metadata: grpc.Metadata;
  private hasHeaders = false;

  constructor(
    private readonly call: Call,
    readonly pipe: Pipe<Item>,
    alive: () => boolean,
  ) {
    super(alive);
    this.metadata = call.metadata;
    this.on('error', (status: Partial<grpc.StatusObject>) => this.finish(status));
  }

  protected encode(message: object): Buffer {
    this.sendMetadata();
    return this.call.method.responseSerialize(message);
  }

  sendMetadata(): void {
    if (this.hasHeaders || this.isOver) return;
    this.hasHeaders = true;
    this.pipe.send({ kind: 'headers' });
  }

  end(): void {
    this.finish({ code: grpc.status.OK });
  }

  destroy(): void {
    this.finish({ code: grpc.status.CANCELLED, details: 'destroyed' });
  }

  private finish(status: Partial<grpc.StatusObject>): void {
    if (this.isOver) return;
    this.pipe.send({ kind: 'status', status });
    this.over();
  }

  /** Nothing more can be sent or heard. */
  over(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.call.network.world.after(0, () => this.tell('close'));
  }

  receive(item: Item): void {
    if (this.isOver) return;
    if (item.kind === 'message') this.tell('data', this.call.method.requestDeserialize(item.bytes));
    else if (item.kind === 'half-close') this.tell('end');
    else if (item.kind === 'cancel' || item.kind === 'reset') {
      this.tell('cancelled');
      this.over();
    }
  }
}

/** A host at one end of a call: its name, and whether the process that makes the call still runs. */
export interface Caller {
  host: string;
  nodeID: string;
  alive: () => boolean;
}

/** One streaming call between two processes, both ends and the wire between them. */
export class Call {
  readonly client: ClientEnd;
  readonly metadata = new grpc.Metadata();
  readonly clientAlive: () => boolean;
  private readonly toServer: Pipe<Item>;
  private readonly toClient: Pipe<Item>;
  private server: ServerEnd | undefined;
  private serverAlive = () => true;

  constructor(
    readonly network: Wiring,
    readonly method: Method,
    readonly from: Caller,
    readonly to: string,
  ) {
    const { world, links } = network;
    this.clientAlive = from.alive;
    this.metadata.set('node', from.nodeID);
    const broke = () => this.broke();
    this.toServer = new Pipe(world, links, from.host, to, (items) => this.atServer(items), broke);
    this.toClient = new Pipe(world, links, to, from.host, (items) => this.atClient(items), broke);
    this.client = new ClientEnd(this, this.toServer);
    this.toServer.send({ kind: 'open' });
  }

  private atServer(items: Item[]): void {
    const { network, method, to } = this;
    network.trace.add(`${this.from.host}>${to} ${method.path} ${items.map(describe).join()}`);
    for (const item of items) {
      if (item.kind === 'open') this.accept();
      else if (this.serverAlive()) this.server?.receive(item);
    }
    const isAnswered = items.every(({ kind }) => kind !== 'reset');
    if (isAnswered && (this.server === undefined || !this.serverAlive())) this.toClient.send({ kind: 'reset' });
    this.client.drained();
  }

  private atClient(items: Item[]): void {
    const { network, method, to } = this;
    network.trace.add(`${to}>${this.from.host} ${method.path} ${items.map(describe).join()}`);
    for (const item of items) this.client.receive(item);
    const isAnswered = items.every(({ kind }) => kind !== 'reset' && kind !== 'status');
    if (isAnswered && !this.clientAlive()) this.toServer.send({ kind: 'reset' });
    this.server?.drained();
  }

  private accept(): void {
    const port = this.network.portOf(this.to);
    const handler = port?.handlerOf(this.method.path);
    if (port === undefined || !port.alive()) return;
    this.serverAlive = port.alive;
    this.server = new ServerEnd(this, this.toClient, port.alive);
    if (handler !== undefined) handler(this.server);
    else this.server.emit('error', { code: grpc.status.UNIMPLEMENTED, details: `no ${this.method.path} here` });
  }

  /** A process at one of the ends was killed: its kernel tells the other end. */
  died(host: string): void {
    if (host === this.to) this.toClient.send({ kind: 'reset' });
    else this.toServer.send({ kind: 'reset' });
  }

  /** The power went: what was still on its way out is gone. */
  vanished(host: string): void {
    if (host === this.to) this.toClient.clear();
    else this.toServer.clear();
  }

  /** No sign of the other end for too long: either gives the connection up. */
  private broke(): void {
    this.toServer.close();
    this.toClient.close();
    this.server?.over();
    this.client.fail(grpc.status.UNAVAILABLE, 'keepalive: no answer');
  }

  /** Whoever relied on it has to find another way now. */
  ended(): void {
    if (this.server === undefined) return;
    this.network.links.trouble(this.from.host);
    this.network.links.trouble(this.to);
  }

  get isOver(): boolean {
    return this.client.isOver && this.server?.isOver !== false;
  }
}

function describe(item: Item): string {
  return item.kind === 'message' ? `${item.bytes.length}` : item.kind;
}
