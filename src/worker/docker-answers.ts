import type Docker from 'dockerode';
import { complete } from '../model/codec.js';
import type { GenericResource } from '../model/types.js';
import type {
  Container,
  ContainerEvent,
  ContainerHealth,
  ContainerNetwork,
  ContainerPhase,
  ContainerSummary,
  PortBinding,
} from './container.js';
import type { EngineInfo } from './engine.js';

// Engines of other versions leave fields out or write null for empty: nothing is taken for granted.

type Maybe<T> = { [K in keyof T]?: T[K] | null };

export function infoOf(answer: unknown): EngineInfo {
  const info = (answer ?? {}) as Maybe<{
    ServerVersion: string;
    OSType: string;
    Architecture: string;
    NCPU: number;
    MemTotal: number;
    Labels: string[];
    GenericResources: Maybe<GenericResource>[];
    Plugins: Record<string, string[] | null>;
  }>;
  return {
    version: info.ServerVersion ?? '',
    os: info.OSType ?? '',
    architecture: info.Architecture ?? '',
    cpus: info.NCPU ?? 0,
    memory_bytes: info.MemTotal ?? 0,
    labels: info.Labels ?? [],
    genericResources: complete('NodeResources', { GenericResources: info.GenericResources ?? [] }).GenericResources,
    plugins: Object.fromEntries(Object.entries(info.Plugins ?? {}).map(([kind, names]) => [kind, names ?? []])),
  };
}

const phases: Record<string, ContainerPhase> = {
  created: 'created',
  running: 'running',
  paused: 'running',
  restarting: 'running',
  exited: 'exited',
  removing: 'exited',
  dead: 'exited',
};

export function summaryOf(answer: Docker.ContainerInfo): ContainerSummary {
  return {
    id: answer.Id,
    name: (answer.Names?.[0] ?? '').replace(/^\//, ''),
    labels: answer.Labels ?? {},
    phase: phases[answer.State] ?? 'exited',
    health: healthIn(answer.Status ?? ''),
    networks: networksIn(answer.NetworkSettings?.Networks ?? {}),
  };
}

/** The list has health only in its words for people: `Up 5 minutes (healthy)`, `Up 2 seconds (health: starting)`. */
function healthIn(status: string): ContainerHealth {
  const word = /^Up .*\((?:health: )?(starting|healthy|unhealthy)\)$/.exec(status)?.[1];
  return (word ?? '') as ContainerHealth;
}

const stopGrace_s_default = 10; // of an engine when nothing else was said
const neverStarted = '0001-01-01T00:00:00Z'; // Go's zero time

export function containerOf(answer: Docker.ContainerInspectInfo): Container {
  const state = (answer.State ?? {}) as Maybe<Docker.ContainerInspectInfo['State']>;
  const health = state.Health?.Status;
  const phase = phases[state.Status ?? ''] ?? 'exited';
  const isRunning = phase === 'running';
  return {
    id: answer.Id,
    name: (answer.Name ?? '').replace(/^\//, ''),
    labels: answer.Config?.Labels ?? {},
    phase,
    started: (state.StartedAt ?? neverStarted) !== neverStarted,
    pid: state.Pid ?? 0,
    exitCode: state.ExitCode ?? 0,
    error: state.Error ?? '',
    health: isRunning && (health === 'starting' || health === 'healthy' || health === 'unhealthy') ? health : '',
    stopGrace_ms:
      ((answer.Config as { StopTimeout?: number | null } | null)?.StopTimeout ?? stopGrace_s_default) * 1000,
    autoRemove: answer.HostConfig?.AutoRemove === true,
    bindings: bindingsOf(answer.NetworkSettings?.Ports ?? {}),
    address: addressIn(answer.NetworkSettings?.Networks ?? {}),
    networks: networksIn(answer.NetworkSettings?.Networks ?? {}),
  };
}

function addressIn(networks: Readonly<Record<string, { IPAddress?: string } | null>>): string {
  return Object.values(networks).find((network) => network?.IPAddress)?.IPAddress ?? '';
}

function networksIn(networks: object): ContainerNetwork[] {
  type Endpoint = Maybe<{
    NetworkID: string;
    IPAddress: string;
    GlobalIPv6Address: string;
    IPAMConfig: Maybe<{ IPv4Address: string; IPv6Address: string }>;
    Aliases: string[];
  }>;
  return Object.entries(networks as Record<string, Endpoint | null>).map(([name, endpoint]) => ({
    name,
    id: endpoint?.NetworkID ?? '',
    address: endpoint?.IPAddress ?? '',
    address6: endpoint?.GlobalIPv6Address ?? '',
    asked: endpoint?.IPAMConfig?.IPv4Address ?? '',
    asked6: endpoint?.IPAMConfig?.IPv6Address ?? '',
    aliases: endpoint?.Aliases ?? [],
  }));
}

function bindingsOf(
  ports: Record<string, readonly { HostIp?: string; HostPort?: string }[] | null | undefined>,
): PortBinding[] {
  return Object.entries(ports).flatMap(([target, bound]) => {
    const [port, protocol = 'tcp'] = target.split('/');
    return (bound ?? []).map((one) => ({
      protocol,
      targetPort: Number(port),
      hostAddress: one.HostIp ?? '',
      hostPort: Number(one.HostPort ?? 0),
    }));
  });
}

/** An event of the stream; undefined for one that says nothing to the agent. */
export function eventOf(line: unknown): ContainerEvent | undefined {
  const event = line as Maybe<{
    Type: string;
    Action: string;
    Actor: Maybe<{ ID: string; Attributes: object }>;
  }> | null;
  const id = event?.Actor?.ID;
  if (event?.Type !== 'container' || typeof event.Action !== 'string' || typeof id !== 'string') return undefined;
  const labels = (event.Actor?.Attributes ?? {}) as Record<string, string>;
  const [action, detail] = event.Action.split(':', 2).map((part) => part.trim());
  switch (action) {
    case 'start':
    case 'destroy':
      return { kind: action, id, labels };
    case 'die':
      return { kind: 'die', id, labels, exitCode: Number(labels.exitCode ?? 0) };
    case 'health_status':
      return detail === 'healthy' || detail === 'unhealthy'
        ? { kind: 'health', id, labels, health: detail }
        : undefined;
    default:
      return undefined;
  }
}
