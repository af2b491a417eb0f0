import { isIPv6 } from 'node:net';
import type { Clock } from '../../model/clock.js';
import { Connection, type ConnectionHost } from './connection.js';
import { isMissingFamily, type Port, type PortSettings } from './port.js';
import type { Rotation, Target } from './rotation.js';
import type { Listening, Wire, Wires } from './wire.js';

/** A published TCP port. */
export class TcpPort implements Port, ConnectionHost {
  readonly clock: Clock;
  readonly wires: Wires;
  readonly idle_ms: number;
  readonly connectTimeout_ms: number;
  private readonly listeners: Listening[] = [];
  private readonly connections = new Set<Connection>();
  private readonly watched = new Set<Connection>();

  constructor(
    readonly rotation: Rotation,
    private readonly settings: PortSettings,
  ) {
    ({
      clock: this.clock,
      wires: this.wires,
      idle_ms: this.idle_ms,
      connectTimeout_ms: this.connectTimeout_ms,
    } = settings);
  }

  /** Listens on all addresses or on none: then it throws the system's error. IPv6 may be missing when an IPv4 address is there. */
  async listen(addresses: readonly string[], port: number): Promise<void> {
    try {
      let missing: unknown;
      for (const address of addresses) {
        try {
          this.listeners.push(await this.wires.listen(address, port, (wire) => this.accept(wire)));
        } catch (error) {
          if (!isIPv6(address) || !isMissingFamily(error)) throw error;
          missing = error;
        }
      }
      if (this.listeners.length === 0) throw missing;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  get open(): number {
    return this.connections.size;
  }

  tick(now_ms: number): boolean {
    for (const connection of this.watched) {
      if (!connection.expire(now_ms)) this.watched.delete(connection);
    }
    return this.watched.size > 0;
  }

  async stop(): Promise<void> {
    await Promise.all(this.listeners.splice(0).map((listener) => listener.close()));
  }

  cut(): void {
    for (const connection of [...this.connections]) connection.cut();
  }

  watch(connection: Connection): void {
    this.watched.add(connection);
    this.settings.wake();
  }

  unreachable(target: Target, code: string): void {
    this.settings.unreachable(target, code);
  }

  closed(connection: Connection): void {
    this.watched.delete(connection);
    if (this.connections.delete(connection)) this.settings.connections.give();
  }

  private accept(wire: Wire): void {
    const refusal = this.refusal();
    if (refusal !== undefined) {
      if (refusal !== '') this.settings.exhausted(refusal);
      wire.reset();
      return;
    }
    const connection = new Connection(this, wire);
    this.connections.add(connection);
    connection.start();
  }

  /** Why a client cannot be taken; otherwise a place for it has been taken. */
  private refusal(): string | undefined {
    if (this.rotation.size === 0) return ''; // no endpoints is no fault of this machine
    const hasPlace = this.connections.size < this.settings.connectionsOfPort && this.settings.connections.take();
    return hasPlace ? undefined : 'connections';
  }
}
