import type * as grpc from '@grpc/grpc-js';
import { type ServiceName, type Services, serviceDefinition } from '../../../src/model/services.js';
import type { ServiceHost } from '../../../src/security/identity.js';
import type { World } from '../world.js';
import { Call, type Caller, type Method, type ServerEnd, type Wiring } from './call.js';
import type { Links } from './links.js';
import type { Trace } from './trace.js';

/** The cluster port, without TLS: a caller is whom it says it is. */
export class Port implements ServiceHost {
  private readonly handlers = new Map<string, (call: ServerEnd) => void>();

  constructor(readonly alive: () => boolean) {}

  addService(definition: grpc.ServiceDefinition, handlers: grpc.UntypedServiceImplementation): void {
    for (const [name, { path }] of Object.entries(definition)) {
      this.handlers.set(path, handlers[name] as unknown as (call: ServerEnd) => void);
    }
  }

  removeService(definition: grpc.ServiceDefinition): void {
    for (const { path } of Object.values(definition)) this.handlers.delete(path);
  }

  identityOf: ServiceHost['identityOf'] = ({ metadata }) => ({
    nodeID: String(metadata.get('node')[0]),
    role: 'manager',
    clusterID: 'cluster',
    asOf: 0,
  });

  setGuard(): () => void {
    return () => {};
  }
  recheck(): void {}

  handlerOf(path: string): ((call: ServerEnd) => void) | undefined {
    return this.handlers.get(path);
  }
}

/** All calls between the processes of a simulated cluster; stands in for gRPC, message by message in the real wire format. */
export class Rpc implements Wiring {
  private readonly ports = new Map<string, Port>();
  private calls: Call[] = [];

  constructor(
    readonly world: World,
    readonly links: Links,
    readonly trace: Trace,
  ) {}

  listen(host: string, port: Port): void {
    this.ports.set(host, port);
  }

  portOf(host: string): Port | undefined {
    return this.ports.get(host);
  }

  /** A client of a service whose methods are streams in both directions; `address`: host:port. */
  client<N extends ServiceName>(name: N, from: Caller, address: string): Services[N]['client'] {
    const methods = Object.entries(serviceDefinition(name)).map(([method, definition]) => [
      method,
      () => this.open(definition as Method, from, address.split(':')[0] as string),
    ]);
    return { ...Object.fromEntries(methods), close: () => {} } as unknown as Services[N]['client'];
  }

  private open(method: Method, from: Caller, to: string): Call['client'] {
    const call = new Call(this, method, from, to);
    if (this.calls.push(call) % 64 === 0) this.calls = this.calls.filter((one) => !one.isOver);
    return call.client;
  }

  /** The host's process is gone; `isSilent`: with the power. To be called before it counts as dead. */
  died(host: string, isSilent: boolean): void {
    for (const call of this.calls) {
      if (call.to !== host && call.from.host !== host) continue;
      if (isSilent) call.vanished(host);
      else call.died(host);
    }
  }
}
