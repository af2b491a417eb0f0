import type { Agent } from 'node:http';
import Docker from 'dockerode';
import type { Clock } from '../model/clock.js';
import { messageOf, ShoalError } from '../model/errors.js';
import { CallsInFlight } from './calls-in-flight.js';
import {
  type Container,
  type ContainerConfig,
  type ContainerEvent,
  type ContainerSummary,
  ipamConfig,
} from './container.js';
import { containerOf, eventOf, infoOf, summaryOf } from './docker-answers.js';
import type { Engine, EngineInfo, EventStream } from './engine.js';
import { EngineSockets } from './engine-sockets.js';
import { pullReference } from './image-reference.js';
import { jsonLines } from './json-lines.js';
import type { EndpointAddresses, EngineNetwork, NetworkConfig } from './networks/engine-networks.js';

// A loaded machine may take seconds for any of these; what hangs is found by pings, long before.
const ping_ms_max = 5_000;
const answer_ms_max = 30_000;
const change_ms_max = 120_000;
// A registry may be slow, but says something (a progress line) more often than that.
const pullSilence_ms_max = 120_000;

/** What dockerode takes where its types know less. */
interface Calls {
  ping(options: { abortSignal: AbortSignal }): Promise<unknown>;
  info(options: { abortSignal: AbortSignal }): Promise<unknown>;
  createContainer(options: { _query: object; _body: object; abortSignal: AbortSignal }): Promise<Docker.Container>;
  getEvents(options: { filters: string; abortSignal: AbortSignal }): Promise<NodeJS.ReadableStream>;
}

/** The real engine, through dockerode: the only way in which Shoal changes anything on it. */
export class DockerEngine implements Engine {
  private readonly docker: Omit<Docker, keyof Calls> & Calls;
  private readonly calls: CallsInFlight;
  private readonly sockets = new EngineSockets();

  /** `host`: `unix:///var/run/docker.sock` or a plain path. */
  constructor(host: string, clock: Clock) {
    this.calls = new CallsInFlight(clock);
    this.docker = new Docker(connection(host, this.sockets));
  }

  async ping(): Promise<void> {
    await this.calls.run('a ping', ping_ms_max, (abortSignal) => this.docker.ping({ abortSignal }));
  }

  async info(): Promise<EngineInfo> {
    return this.calls.run('info', answer_ms_max, async (abortSignal) =>
      infoOf(await this.docker.info({ abortSignal })),
    );
  }

  async pull(image: string, options: { auth?: string; signal: AbortSignal }): Promise<void> {
    await this.calls.runWatched('a pull', pullSilence_ms_max, options.signal, async (abortSignal, alive) => {
      const auth = options.auth === undefined ? {} : { authconfig: { key: options.auth } };
      const stream = await this.docker.createImage({ ...auth, ...pullReference(image), abortSignal });
      for await (const line of jsonLines(stream)) {
        alive();
        const { error } = line as { error?: unknown };
        if (typeof error === 'string') throw new ShoalError('not-found', error);
      }
    });
  }

  async create(name: string, config: ContainerConfig): Promise<string> {
    return this.calls.run('a create', change_ms_max, async (abortSignal) => {
      // dockerode writes plain options into the address as well as the body; these two keep them apart
      const { id } = await this.docker.createContainer({ _query: { name }, _body: config, abortSignal });
      if (typeof id !== 'string' || id === '') throw new Error('it named no container in its answer to a create');
      return id;
    });
  }

  async start(id: string): Promise<void> {
    await this.calls
      .run('a start', change_ms_max, (abortSignal) => this.docker.getContainer(id).start({ abortSignal }))
      .catch(unless(304));
  }

  async stop(id: string, grace_ms: number): Promise<void> {
    const query = { t: Math.ceil(grace_ms / 1000) };
    await this.calls
      .run('a stop', grace_ms + change_ms_max, (abortSignal) =>
        this.docker.getContainer(id).stop({ ...query, abortSignal }),
      )
      .catch(unless(304, 404));
  }

  async remove(id: string): Promise<void> {
    const query = { v: true, force: true };
    await this.calls
      .run('a removal', change_ms_max, (abortSignal) =>
        this.docker.getContainer(id).remove({ ...query, abortSignal } as Docker.ContainerRemoveOptions),
      )
      .catch(unless(404));
  }

  async inspect(id: string): Promise<Container | undefined> {
    const container = this.docker.getContainer(encodeURIComponent(id));
    return this.calls
      .run('an inspect', answer_ms_max, async (abortSignal) => containerOf(await container.inspect({ abortSignal })))
      .catch(unless(404));
  }

  async list(labels: Readonly<Record<string, string>>): Promise<ContainerSummary[]> {
    const filters = JSON.stringify({ label: labelFilter(labels) });
    return this.calls.run('a list', answer_ms_max, async (abortSignal) =>
      (await this.docker.listContainers({ all: true, filters, abortSignal })).map(summaryOf),
    );
  }

  async events(labels: Readonly<Record<string, string>>, call: (event: ContainerEvent) => void): Promise<EventStream> {
    const filters = JSON.stringify({
      type: ['container'],
      event: ['start', 'die', 'destroy', 'health_status'],
      label: labelFilter(labels),
    });
    return this.calls.stream('the event stream', answer_ms_max, async (abortSignal) => {
      const stream = await this.docker.getEvents({ filters, abortSignal });
      return async () => {
        for await (const line of jsonLines(stream)) {
          const event = eventOf(line);
          if (event !== undefined) call(event);
        }
      };
    });
  }

  async networks(label: string): Promise<EngineNetwork[]> {
    const filters = JSON.stringify({ label: [label] });
    return this.calls.run('a list of networks', answer_ms_max, async (abortSignal) =>
      (await this.docker.listNetworks({ filters, abortSignal })).map(({ Id, Name, Labels }) => ({
        id: Id,
        name: Name,
        labels: Labels ?? {},
      })),
    );
  }

  async createNetwork(config: NetworkConfig): Promise<string> {
    return this.calls.run('a creation of a network', change_ms_max, async (abortSignal) => {
      // as of createContainer; this one's types know nothing of it
      const request = { _query: {}, _body: config, abortSignal } as unknown as Docker.NetworkCreateOptions;
      const { id } = await this.docker.createNetwork(request);
      return id;
    });
  }

  async removeNetwork(id: string): Promise<void> {
    await this.calls
      .run('a removal of a network', change_ms_max, (abortSignal) => this.docker.getNetwork(id).remove({ abortSignal }))
      .catch(unless(404));
  }

  async connectNetwork(
    network: string,
    container: string,
    place: EndpointAddresses,
    aliases: readonly string[] = [],
  ): Promise<void> {
    const IPAMConfig = ipamConfig(place);
    const EndpointConfig = {
      ...(Object.keys(IPAMConfig).length > 0 && { IPAMConfig }),
      ...(aliases.length > 0 && { Aliases: [...aliases] }),
    };
    await this.calls
      .run('a connection to a network', change_ms_max, (abortSignal) =>
        this.docker
          .getNetwork(network)
          .connect({ Container: container, EndpointConfig, abortSignal } as Docker.NetworkConnectOptions),
      )
      .catch((error) => {
        if (!/already exists in network/.test(messageOf(error))) throw error;
      });
  }

  async disconnectNetwork(network: string, container: string): Promise<void> {
    await this.calls
      .run('a disconnection from a network', change_ms_max, (abortSignal) =>
        this.docker
          .getNetwork(encodeURIComponent(network))
          .disconnect({ Container: container, Force: true, abortSignal } as Docker.NetworkConnectOptions),
      )
      .catch(unless(404))
      .catch((error) => {
        if (!/is not connected to/.test(messageOf(error))) throw error;
      });
  }

  reset(): void {
    this.calls.reset();
    this.sockets.destroy();
  }
}

function connection(host: string, agent: Agent): Docker.DockerOptions {
  // What is set explicitly, undefined too, wins over the DOCKER_* variables that dockerode would read.
  const nothing = { host: undefined, port: undefined, protocol: 'http' as const, timeout: undefined };
  const clear = { ...nothing, agent, ca: undefined, cert: undefined, key: undefined, socketPath: undefined };
  const path = host.replace(/^unix:\/\//, '');
  if (!path.startsWith('/')) {
    throw new ShoalError(
      'invalid-argument',
      `engine address ${JSON.stringify(host)}: allowed are /path/to/socket and unix:///path/to/socket`,
    );
  }
  return { ...clear, socketPath: path };
}

const labelFilter = (labels: Readonly<Record<string, string>>) =>
  Object.entries(labels).map(([name, value]) => `${name}=${value}`);

/** Lets an answer with one of these statuses pass: the engine's word that there was nothing to do. */
function unless(...statuses: number[]): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof ShoalError && statuses.includes(statusOf(error.cause))) return undefined;
    throw error;
  };
}

function statusOf(cause: unknown): number {
  return Number((cause as { statusCode?: unknown } | undefined)?.statusCode ?? 0);
}
