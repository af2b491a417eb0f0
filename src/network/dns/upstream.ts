import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock } from '../../model/clock.js';
import type { Random } from '../../model/random.js';

export interface UpstreamOptions {
  clock: Clock;
  random: Random;
  port: number;
}

/**
 * A socket costs more than a question, and a port that is known for long is no secret: so each takes some questions, a few at a time are there
 * to be chosen from by chance, and none is kept for long.
 */
const sockets_max = 8;
const questions_max = 64;
const kept_ms = 1_000;

/** Asks one name server over UDP. */
export class Upstream {
  private readonly open: (Port | undefined)[] = Array.from({ length: sockets_max }, () => undefined);

  constructor(
    private readonly server: string,
    private readonly options: UpstreamOptions,
  ) {}

  /** Whether nothing of it is there that costs anything. */
  get isIdle(): boolean {
    return this.open.every((port) => port === undefined || port.isClosed);
  }

  /** The answer, under the query's id; undefined when none came in time. */
  ask(query: Buffer, within_ms: number): Promise<Buffer | undefined> {
    const at = this.options.random.below(sockets_max);
    let port = this.open[at];
    if (port === undefined || port.isSpent) {
      port = new Port(this.server, this.options);
      this.open[at] = port;
    }
    return port.ask(query, within_ms);
  }
}

interface Waiting {
  query: Buffer;
  end: (answer: Buffer | undefined) => void;
}

/** One socket: what comes is from the server that was asked, says the kernel, and counts if it is what was asked, under the id that it was asked by. */
class Port {
  private readonly socket: Socket;
  private readonly waiting = new Map<number, Waiting>();
  private isConnected = false;
  private left = questions_max;
  private isOld = false;
  isClosed = false;

  constructor(
    server: string,
    private readonly options: UpstreamOptions,
  ) {
    this.socket = createSocket({ type: isIPv6(server) ? 'udp6' : 'udp4', lookup: asItIs });
    this.socket.on('error', () => this.close());
    this.socket.on('message', (answer) => this.heard(answer));
    this.socket.connect(options.port, server, () => {
      this.isConnected = true;
      for (const [id, { query }] of this.waiting) this.send(query, id);
    });
    options.clock.after(kept_ms, () => {
      this.isOld = true;
      this.closeIfDone();
    });
  }

  /** Whether it takes no further question. */
  get isSpent(): boolean {
    return this.left === 0 || this.isOld || this.isClosed;
  }

  ask(query: Buffer, within_ms: number): Promise<Buffer | undefined> {
    const { random, clock } = this.options;
    this.left -= 1;
    let id = random.below(0x10000);
    while (this.waiting.has(id)) id = random.below(0x10000);
    return new Promise((resolve) => {
      const end = (answer: Buffer | undefined) => {
        cancel();
        this.waiting.delete(id);
        resolve(answer);
        this.closeIfDone();
      };
      const cancel = clock.after(within_ms, () => end(undefined));
      this.waiting.set(id, { query, end });
      if (this.isConnected) this.send(query, id);
    });
  }

  private send(query: Buffer, id: number): void {
    const sent = Buffer.from(query);
    sent.writeUInt16BE(id, 0);
    this.socket.send(sent, (error) => {
      if (error) this.close();
    });
  }

  private heard(answer: Buffer): void {
    if (answer.length < header_bytes) return;
    const waiting = this.waiting.get(answer.readUInt16BE(0));
    if (waiting === undefined || !isAnswerTo(waiting.query, answer)) return;
    waiting.query.copy(answer, 0, 0, 2);
    waiting.end(answer);
  }

  private closeIfDone(): void {
    if (this.isSpent && this.waiting.size === 0) this.close();
  }

  /** Nobody is there, as the kernel says; or it is done with. */
  private close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.socket.close();
    for (const { end } of [...this.waiting.values()]) end(undefined);
  }
}

const header_bytes = 12;

/** Whether it is a response to this question, whatever its id (RFC 5452, 9.1). A server that could not read the question may leave it out. */
export function isAnswerTo(query: Buffer, answer: Buffer): boolean {
  if (answer.length < header_bytes || (answer.readUInt8(2) & 0x80) === 0) return false;
  if (answer.readUInt16BE(4) === 0) return (answer.readUInt8(3) & 15) !== 0;
  const question = questionOf(query);
  return question === questionOf(answer.subarray(0, header_bytes + question.length));
}

/** Name, type and class in the bytes that they have on the wire; letters of a name in lower case, for some servers answer so. */
function questionOf(message: Buffer): string {
  let at = header_bytes;
  while ((message[at] ?? 0) !== 0 && at < message.length) at += (message[at] ?? 0) + 1;
  const name = message.toString('latin1', header_bytes, at).toLowerCase();
  return `${name}${message.toString('latin1', at, at + 5)}`;
}

/** For sockets that are only given addresses: without it each datagram would wait a turn for what needs no looking up. */
export function asItIs(
  address: string,
  _options: unknown,
  found: (error: null, address: string, family: number) => void,
): void {
  found(null, address, isIPv6(address) ? 6 : 4);
}
