import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import { messageOf } from '../../model/errors.js';
import { contains, formatIP, parseIP } from '../../model/ip.js';
import { type NetworkBlock, segmentsOf } from '../../model/network-block.js';
import type { Network } from '../../model/types.js';
import type { NetworkItems } from '../network-table.js';
import { asDatagram, failure, type Reading, readQuery } from './answer.js';
import type { Forwarder } from './forwarder.js';
import { Frames, frame } from './frames.js';
import { type Asker, NameBook } from './name-book.js';
import { asItIs } from './upstream.js';

export interface ResolverOptions {
  forwarder: Forwarder;
  clock: Clock;
  log: Logger;
  /** 53, unless a test says otherwise. */
  port?: number;
}

/** Of a network, and of one container: it must not keep the others out. */
const tcpConnections_max = 256;
const tcpConnectionsOfOne_max = 16;
const idle_ms = 10_000;

/** Of one answer that could not be sent. */
const ignored = () => {};

/** Ends it. */
type Listening = () => Promise<void>;

/**
 * The name server of a node's networks: at each gateway's address, for the containers of that network alone. They ask the engine's own
 * resolver, which knows the containers of this node and passes on the rest.
 */
export class Resolver {
  private readonly book = new NameBook({ peers: new Map(), networks: new Map(), services: new Map() });
  /** Where we listen ourselves. */
  private readonly gateways = new Set<string>();
  /** By network and gateway. */
  private readonly listening = new Map<string, Promise<Listening | undefined>>();
  private turn = 0;

  constructor(private readonly options: ResolverOptions) {}

  /** Names are from now on those of this state; the items do not change any more. */
  know(items: NetworkItems): void {
    this.book.update(items);
  }

  /** Serves these networks, whose gateways are addresses of this node, and no others. */
  async serve(networks: readonly Network[]): Promise<void> {
    const places = networks.flatMap((network) =>
      segmentsOf(network).map(({ ipv4 }) => ({ networkID: network.ID, ipv4 })),
    );
    const wanted = new Map(places.map((place) => [`${place.networkID} ${formatIP(place.ipv4.gateway)}`, place]));
    const gone = [...this.listening.keys()].filter((id) => !wanted.has(id));
    await Promise.all(gone.map((id) => this.stop(id)));
    await Promise.all(
      [...wanted].map(async ([id, { networkID, ipv4 }]) => {
        if (!this.listening.has(id)) this.listening.set(id, this.listen(networkID, ipv4));
        if ((await this.listening.get(id)) === undefined) this.listening.delete(id); // tried again with the next call
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.listening.keys()].map((id) => this.stop(id)));
  }

  private async stop(id: string): Promise<void> {
    const listening = this.listening.get(id);
    this.listening.delete(id);
    await (await listening)?.();
  }

  private async listen(networkID: string, block: NetworkBlock): Promise<Listening | undefined> {
    const gateway = formatIP(block.gateway);
    const asker = (address: string): Asker | undefined => {
      const number = parseIP(address.replace(/^::ffff:/, ''));
      return number !== undefined && contains(block.subnet, number) ? { networkID, address } : undefined;
    };
    const ends: (() => Promise<void>)[] = [];
    try {
      const udp = await this.listenUDP(gateway, asker);
      ends.push(() => new Promise((resolve) => udp.close(() => resolve())));
      ends.push(await this.listenTCP(gateway, asker));
    } catch (error) {
      for (const end of ends) await end();
      this.options.log.warn('names cannot be answered on a network', { network: networkID, reason: messageOf(error) });
      return undefined;
    }
    this.gateways.add(gateway);
    return async () => {
      this.gateways.delete(gateway);
      await Promise.all(ends.map((end) => end()));
    };
  }

  private listenUDP(host: string, askerAt: (address: string) => Asker | undefined): Promise<UdpSocket> {
    const socket = createSocket({ type: 'udp4', lookup: asItIs });
    socket.on('message', (bytes, from) => {
      const asker = askerAt(from.address);
      if (asker === undefined) return;
      const send = (answer: Buffer | undefined) => {
        if (answer !== undefined) socket.send(answer, from.port, from.address, ignored);
      };
      // At once, where nobody else has to be asked: a promise an answer would be a good part of what it costs.
      const answer = this.answer(bytes, asker, 'udp');
      if (answer instanceof Promise) answer.then(send, (error) => this.failed(asker, error));
      else send(answer);
    });
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(this.port, host, () => {
        socket.off('error', reject).on('error', () => {}); // of one answer that could not be sent
        resolve(socket);
      });
    });
  }

  private async listenTCP(host: string, askerAt: (address: string) => Asker | undefined): Promise<() => Promise<void>> {
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => {
      const address = socket.remoteAddress ?? '';
      const asker = askerAt(address);
      socket.on('error', () => socket.destroy());
      const ofOne = [...sockets].filter((one) => one.remoteAddress === address).length;
      if (asker === undefined || sockets.size >= tcpConnections_max || ofOne >= tcpConnectionsOfOne_max) {
        socket.destroy();
        return;
      }
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.setTimeout(idle_ms, () => socket.destroy());
      const frames = new Frames();
      // One after the other: a client that asks much without reading waits for itself.
      let last: Promise<void> = Promise.resolve();
      socket.on('data', (bytes: Buffer) => {
        socket.pause();
        for (const query of frames.add(bytes)) {
          last = last.then(async () => {
            const answer = await this.answer(query, asker, 'tcp');
            if (answer === undefined) socket.destroy();
            else if (!socket.destroyed) socket.write(frame(answer));
          });
        }
        last.then(
          () => socket.resume(),
          (error) => {
            this.failed(asker, error);
            socket.destroy();
          },
        );
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, host, () => {
        server.off('error', reject).on('error', () => {});
        resolve();
      });
    });
    return () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      });
  }

  private get port(): number {
    return this.options.port ?? 53;
  }

  /** A promise only of what is asked outside. */
  private answer(bytes: Buffer, asker: Asker, over: 'udp' | 'tcp'): Promise<Buffer> | Buffer | undefined {
    const reading = readQuery(bytes, asker, this.book, this.turn++);
    if (reading === undefined) return undefined;
    if (reading.answer !== undefined) return over === 'udp' ? asDatagram(reading.answer, reading) : reading.answer;
    return this.askOutside(reading, asker, over);
  }

  private async askOutside(reading: Reading, asker: Asker, over: 'udp' | 'tcp'): Promise<Buffer> {
    const outside = { from: asker.address, own: this.book.nameserversOf(asker), except: this.gateways, over };
    return (await this.options.forwarder.ask(reading.bytes, outside)) ?? failure(reading);
  }

  private failed({ networkID, address }: Asker, error: unknown): void {
    this.options.log.error('a question for a name failed', { network: networkID, from: address, error });
  }
}
