import type { GenericResource } from '../model/types.js';
import type { Container, ContainerConfig, ContainerEvent, ContainerSummary } from './container.js';
import type { EngineNetworks } from './networks/engine-networks.js';

/**
 * The node's Docker Engine, as much of it as the agent needs. docker-engine.ts is the real one;
 * test/helpers/simulated-engine.ts has faults and a clock moved by hand. Both pass test/helpers/engine-contract.ts.
 *
 * Every call throws ShoalError: `unavailable` when the engine cannot be reached, does not answer in time or was `reset` (whether
 * it did what it was asked is then not known), any other code when it refused, the message being the engine's own words.
 */
export interface Engine extends EngineNetworks {
  /** Answers quickly or not at all: whether the engine lives. */
  ping(): Promise<void>;
  info(): Promise<EngineInfo>;

  /** Brings an image onto the node. `auth` is what X-Registry-Auth carries (base64 of JSON). Aborting `signal` gives up. */
  pull(image: string, options: { auth?: string; signal: AbortSignal }): Promise<void>;

  /**
   * Resolves with the container's id. Throws `not-found` ("No such image: …") when the image is not on the node,
   * `name-conflict` when a container has that name.
   */
  create(name: string, config: ContainerConfig): Promise<string>;
  /** Does nothing to one that runs. */
  start(id: string): Promise<void>;
  /**
   * Sends the container's own stop signal (`StopSignal` at its creation), after `grace_ms` the kill signal, and resolves once it has
   * exited. Does nothing to one that is stopped or gone.
   */
  stop(id: string, grace_ms: number): Promise<void>;
  /** Removes the container, running or not, and its anonymous volumes. Does nothing to one that is gone. */
  remove(id: string): Promise<void>;
  /** By id or name; undefined when there is none. */
  inspect(id: string): Promise<Container | undefined>;
  /** All containers, running or not, that carry every one of these labels. */
  list(labels: Readonly<Record<string, string>>): Promise<ContainerSummary[]>;

  /**
   * Events of containers with every one of these labels, from when this resolves until the stream ends. Events may be lost (an
   * engine drops them for a slow listener): `list` tells the truth.
   */
  events(labels: Readonly<Record<string, string>>, call: (event: ContainerEvent) => void): Promise<EventStream>;

  /** Gives up every call and stream in flight: each ends in `unavailable`. For an engine that hangs. */
  reset(): void;
}

export interface EventStream {
  /** Resolves with the reason once no more events will come. */
  readonly ended: Promise<string>;
  close(): void;
}

export interface EngineInfo {
  version: string;
  os: string;
  /** As `uname -m` has it: x86_64, aarch64. */
  architecture: string;
  cpus: number;
  memory_bytes: number;
  /** The engine's own, as `key=value`. */
  labels: readonly string[];
  /** What its owner has told it of: dockerd's --node-generic-resource. */
  genericResources: readonly GenericResource[];
  /** Names by kind: Volume, Network, Log, Authorization. */
  plugins: Readonly<Record<string, readonly string[]>>;
}
