import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { Flow, type FlowHost } from './flow.js';
import { isMissingFamily, type Port, type PortSettings } from './port.js';
import type { Rotation } from './rotation.js';

/** A published UDP port: a flow for each client address and port that sends to it. */
export class UdpPort implements Port, FlowHost {
  private readonly sockets: Socket[] = [];
  /** By client; the one that was used least recently (to a second) is first. */
  private readonly flows = new Map<string, Flow>();

  constructor(
    readonly rotation: Rotation,
    readonly settings: PortSettings,
  ) {}

  /** As `TcpPort.listen`. */
  async listen(addresses: readonly string[], port: number): Promise<void> {
    try {
      let missing: unknown;
      for (const address of addresses) {
        try {
          this.sockets.push(await this.bind(address, port));
        } catch (error) {
          if (!isIPv6(address) || !isMissingFamily(error)) throw error;
          missing = error;
        }
      }
      if (this.sockets.length === 0) throw missing;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  get open(): number {
    return this.flows.size;
  }

  tick(now_ms: number): boolean {
    for (const flow of this.flows.values()) {
      if (now_ms - flow.used_ms < this.settings.flowIdle_ms) break;
      flow.end();
    }
    return this.flows.size > 0;
  }

  async stop(): Promise<void> {
    // Without their socket the flows cannot answer; UDP promises nothing, so they end with it.
    this.cut();
    await Promise.all(
      this.sockets.splice(0).map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))),
    );
  }

  cut(): void {
    for (const flow of [...this.flows.values()]) flow.end();
  }

  used(flow: Flow): void {
    this.flows.delete(flow.key);
    this.flows.set(flow.key, flow);
  }

  ended(flow: Flow): void {
    if (!this.flows.delete(flow.key)) return;
    this.settings.flows.give();
  }

  private bind(address: string, port: number): Promise<Socket> {
    const family = isIPv6(address) ? 'udp6' : 'udp4';
    const socket = createSocket({ type: family, ipv6Only: family === 'udp6' });
    return new Promise((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close();
        reject(error);
      });
      socket.bind({ address, port, exclusive: true }, () => {
        socket.removeAllListeners('error');
        socket.on('error', () => {}); // of a single answer that could not be sent
        socket.on('message', (datagram, from) => this.receive(socket, datagram, from));
        resolve(socket);
      });
    });
  }

  private receive(socket: Socket, datagram: Buffer, from: RemoteInfo): void {
    if (from.port === 0) return; // forged: nobody could be answered there
    const key = `${from.family} ${from.address} ${from.port}`;
    const flow = this.flows.get(key) ?? this.begin(key, socket, from);
    flow?.fromClient(datagram);
  }

  /** A new flow; when there are too many the one that was quiet for longest makes room. */
  private begin(key: string, socket: Socket, from: RemoteInfo): Flow | undefined {
    if (this.rotation.size === 0) return undefined;
    const { flows, flowsOfPort } = this.settings;
    const [oldest] = this.flows.values();
    if (oldest !== undefined && (this.flows.size >= flowsOfPort || flows.open >= flows.limit)) {
      oldest.end();
      this.settings.exhausted('UDP flows');
    }
    if (!flows.take()) {
      this.settings.exhausted('UDP flows');
      return undefined;
    }
    const flow = new Flow(this, key, from.address, (bytes) => socket.send(bytes, from.port, from.address, () => {}));
    this.flows.set(key, flow);
    this.settings.wake();
    return flow;
  }
}
