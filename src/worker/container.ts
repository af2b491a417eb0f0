/**
 * What the engine is asked to create, in the Engine API's own words (POST /containers/create, v1.47). Fields an engine
 * is too old for are ones that it ignores; what is undefined is not sent.
 */
export interface ContainerConfig {
  Image: string;
  Hostname?: string;
  User?: string;
  Env?: string[];
  /** What `ContainerSpec.Command` is: replaces the image's entry point. */
  Entrypoint?: string[];
  /** What `ContainerSpec.Args` is. */
  Cmd?: string[];
  WorkingDir?: string;
  Labels: Record<string, string>;
  Tty?: boolean;
  OpenStdin?: boolean;
  StopSignal?: string;
  /** Seconds. */
  StopTimeout?: number;
  Healthcheck?: {
    Test?: string[];
    Interval?: number;
    Timeout?: number;
    StartPeriod?: number;
    StartInterval?: number;
    Retries?: number;
  };
  ExposedPorts?: Record<string, Record<string, never>>;
  HostConfig: HostConfig;
  /** Addresses by the engine's network. */
  NetworkingConfig?: { EndpointsConfig: Record<string, { IPAMConfig: IPAMConfig }> };
}

/** Addresses that a container is to have on a network. */
export interface IPAMConfig {
  IPv4Address?: string;
  IPv6Address?: string;
}

/** Without those that are ''. */
export function ipamConfig({ address, address6 }: { address: string; address6: string }): IPAMConfig {
  return { ...(address !== '' && { IPv4Address: address }), ...(address6 !== '' && { IPv6Address: address6 }) };
}

export interface HostConfig {
  Mounts?: MountConfig[];
  /** By `<port>/<protocol>`; an empty HostPort lets the engine choose one. */
  PortBindings?: Record<string, { HostIp: string; HostPort: string }[]>;
  NetworkMode?: string;
  NanoCpus?: number;
  Memory?: number;
  MemoryReservation?: number;
  PidsLimit?: number;
  Init?: boolean;
  ReadonlyRootfs?: boolean;
  Dns?: string[];
  DnsSearch?: string[];
  DnsOptions?: string[];
  ExtraHosts?: string[];
  GroupAdd?: string[];
  CapAdd?: string[];
  CapDrop?: string[];
  Ulimits?: { Name: string; Soft: number; Hard: number }[];
  Sysctls?: Record<string, string>;
  SecurityOpt?: string[];
  OomScoreAdj?: number;
  Isolation?: string;
  LogConfig?: { Type: string; Config: Record<string, string> };
}

export interface MountConfig {
  Type: string;
  Source?: string;
  Target: string;
  ReadOnly?: boolean;
  Consistency?: string;
  BindOptions?: {
    Propagation?: string;
    NonRecursive?: boolean;
    CreateMountpoint?: boolean;
    ReadOnlyNonRecursive?: boolean;
    ReadOnlyForceRecursive?: boolean;
  };
  VolumeOptions?: {
    NoCopy?: boolean;
    Labels?: Record<string, string>;
    DriverConfig?: { Name: string; Options: Record<string, string> };
    Subpath?: string;
  };
  TmpfsOptions?: { SizeBytes?: number; Mode?: number };
}

/** Where a container is in its life. Paused counts as running; a half-removed one as exited. */
export type ContainerPhase = 'created' | 'running' | 'exited';

/** A container as the engine's list shows it. */
export interface ContainerSummary {
  id: string;
  name: string;
  labels: Readonly<Record<string, string>>;
  phase: ContainerPhase;
  /** '' without a health check, and of one that does not run. */
  health: ContainerHealth;
  /** The engine's networks that it is on, or will be on once it runs. */
  networks: readonly ContainerNetwork[];
}

/** A container's place on a network of its engine. */
export interface ContainerNetwork {
  name: string;
  /** Of the network; may be missing, or that of one that is gone, while the container does not run. */
  id: string;
  /** '' while the container does not run. */
  address: string;
  /** Of IPv6; '' also on a network without. */
  address6: string;
  /** The address that it is to have; '' leaves it to the engine. */
  asked: string;
  /** Of IPv6, likewise. */
  asked6: string;
  aliases: readonly string[];
}

export type ContainerHealth = '' | 'starting' | 'healthy' | 'unhealthy';

/** A container as the engine's inspect shows it. */
export interface Container extends ContainerSummary {
  /** Whether it was ever started: an exit code means nothing before. */
  started: boolean;
  pid: number;
  exitCode: number;
  /** The engine's words on why it could not run, or ''. */
  error: string;
  /** How long it may take to end after its stop signal, as it was created. */
  stopGrace_ms: number;
  bindings: readonly PortBinding[];
  /** The engine removes it once it has ended. */
  autoRemove: boolean;
  /** Its own IPv4 address on a network of the engine; '' while it does not run, and of one that uses the node's network. */
  address: string;
}

export interface PortBinding {
  protocol: string;
  targetPort: number;
  hostAddress: string;
  hostPort: number;
}

/** What happened to a container, as the event stream tells it. */
export type ContainerEvent = { id: string; labels: Readonly<Record<string, string>> } & (
  | { kind: 'die'; exitCode: number }
  | { kind: 'health'; health: 'healthy' | 'unhealthy' }
  | { kind: 'start' | 'destroy' }
);
