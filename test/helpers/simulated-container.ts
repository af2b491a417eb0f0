import type {
  Container,
  ContainerConfig,
  ContainerPhase,
  ContainerSummary,
  PortBinding,
} from '../../src/worker/container.js';
import type { EndpointAddresses } from '../../src/worker/networks/engine-networks.js';

/** What a simulated container's command does, read off its words. */
export interface Program {
  /** Ends by itself after so long; undefined: runs until it is stopped. */
  ends?: { after_ms: number; exitCode: number };
  /** Ends at its stop signal; else only the kill signal ends it, as of a process 1 that has no handler. */
  polite: boolean;
}

/**
 * `true`, `false`, and scripts of `sleep N`, `exit N` and `trap`; anything else runs for ever. Without a command the image's own
 * one runs, which is polite.
 */
export function programOf(config: ContainerConfig): Program {
  const words = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  const text = words.join(' ');
  const polite = words.length === 0 || text.includes('trap');
  if (text === 'true') return { ends: { after_ms: 0, exitCode: 0 }, polite };
  if (text === 'false') return { ends: { after_ms: 0, exitCode: 1 }, polite };
  const exit = /exit (\d+)\s*$/.exec(text);
  const sleep = /sleep ([\d.]+)/.exec(text);
  if (exit === null && sleep === null) return { polite };
  return { ends: { after_ms: Number(sleep?.[1] ?? 0) * 1000, exitCode: Number(exit?.[1] ?? 0) }, polite };
}

/** What a health check of `true` or `false` finds, and when; undefined for any other: a test says it with `setHealth`. */
export function healthOf(config: ContainerConfig): { after_ms: number; health: 'healthy' | 'unhealthy' } | undefined {
  const word = config.Healthcheck?.Test?.at(-1);
  const interval_ms = (config.Healthcheck?.Interval ?? 30e9) / 1e6;
  if (word === 'true') return { after_ms: interval_ms, health: 'healthy' };
  if (word === 'false') return { after_ms: interval_ms * (config.Healthcheck?.Retries ?? 3), health: 'unhealthy' };
  return undefined;
}

/** A container of the simulated engine: what inspect shows, and what moves it. */
export class SimulatedContainer {
  phase: ContainerPhase = 'created';
  /** How often it was started. */
  starts = 0;
  exitCode = 0;
  pid = 0;
  health: Container['health'] = '';
  bindings: PortBinding[] = [];
  cancelEnd: () => void = () => {};
  /** Called when it ends. */
  readonly waiting: (() => void)[] = [];

  /** Beyond the one that it was created on, with its address there. */
  readonly connected = new Map<string, EndpointAddresses & { aliases: readonly string[] }>();
  /** Names of the engine's networks by their ids. */
  names: (network: string) => string = (network) => network;

  constructor(
    readonly id: string,
    readonly name: string,
    readonly config: ContainerConfig,
  ) {
    for (const [network, { IPAMConfig }] of Object.entries(config.NetworkingConfig?.EndpointsConfig ?? {})) {
      this.connect(network, { address: IPAMConfig.IPv4Address ?? '', address6: IPAMConfig.IPv6Address ?? '' });
    }
  }

  connect(network: string, { address, address6 }: EndpointAddresses, aliases: readonly string[] = []): void {
    this.connected.set(network, { address, address6, aliases });
  }

  disconnect(network: string): void {
    this.connected.delete(network);
  }

  /** Ids of the networks it is on, of those that the engine knows by id. */
  networks(): string[] {
    return [...this.connected.keys()];
  }

  get labels(): Readonly<Record<string, string>> {
    return this.config.Labels;
  }

  get hasHealthcheck(): boolean {
    const test = this.config.Healthcheck?.Test;
    return test !== undefined && test.length > 0 && test[0] !== 'NONE';
  }

  carries(labels: Readonly<Record<string, string>>): boolean {
    return Object.entries(labels).every(([name, value]) => this.labels[name] === value);
  }

  inspect(): Container {
    const { pid, exitCode } = this;
    const started = this.starts > 0;
    const stopGrace_ms = (this.config.StopTimeout ?? 10) * 1000;
    return {
      ...this.summary(),
      started,
      pid,
      exitCode,
      error: '',
      stopGrace_ms,
      bindings: [...this.bindings],
      autoRemove: false,
      address: '',
    };
  }

  summary(): ContainerSummary {
    const { id, name, labels, phase, health } = this;
    const networks = [...this.connected].map(([network, { address, address6, aliases }]) => ({
      name: this.names(network),
      id: network,
      address: phase === 'running' ? address : '',
      address6: phase === 'running' ? address6 : '',
      asked: address,
      asked6: address6,
      aliases,
    }));
    return { id, name, labels, phase, health: phase === 'running' ? health : '', networks };
  }
}
