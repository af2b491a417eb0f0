import type { Host } from '../../src/lab/host.js';
import { api, eventually } from './lab.js';

/** Tasks as the API lists them, as far as tests look at them. */
export interface ListedTask {
  ID: string;
  Slot: number;
  NodeID: string;
  DesiredState: string;
  Status: { State: string; Err?: string; Message?: string; ContainerStatus?: { ContainerID: string } };
  NetworksAttachments?: { Addresses: string[] }[];
  Spec: { ForceUpdate?: number; ContainerSpec: { Image: string; Env?: string[] } };
}
export interface ListedNode {
  ID: string;
  Version: { Index: number };
  Spec: { Availability: string; Role: string; Labels: Record<string, string> };
  Description: { Hostname: string };
  Status: { State: string; Addr: string; Message?: string };
  ManagerStatus?: { Leader?: boolean; Reachability: string; Addr: string };
}

export async function tasksOf(host: Host, service: string): Promise<ListedTask[]> {
  const filters = encodeURIComponent(JSON.stringify({ service: { [service]: true } }));
  const { status, body } = await api<ListedTask[]>(host, 'GET', `/tasks?filters=${filters}`);
  if (status !== 200) throw new Error(`GET /tasks: ${status} ${JSON.stringify(body)}`);
  return body;
}

export async function nodesOf(host: Host): Promise<ListedNode[]> {
  const { status, body } = await api<ListedNode[]>(host, 'GET', '/nodes');
  if (status !== 200) throw new Error(`GET /nodes: ${status} ${JSON.stringify(body)}`);
  return body;
}

/** Tasks that run and shall run. */
export async function runningOf(host: Host, service: string): Promise<ListedTask[]> {
  return (await tasksOf(host, service)).filter(
    (task) => task.DesiredState === 'running' && task.Status.State === 'running',
  );
}

/** Waits until exactly `count` tasks run that shall run and satisfy `also`, and none besides is meant to. */
export async function converged(
  host: Host,
  service: string,
  count: number,
  also: (task: ListedTask) => boolean = () => true,
): Promise<ListedTask[]> {
  let found: ListedTask[] = [];
  await eventually(async () => {
    const wanted = (await tasksOf(host, service)).filter((task) => task.DesiredState === 'running');
    found = wanted.filter((task) => task.Status.State === 'running' && also(task));
    if (wanted.length === count && found.length === count) return undefined;
    return `${found.length} of ${count} run (${wanted.length} wanted): ${wanted.map((task) => `${task.Status.State} ${task.Status.Err ?? ''}`).join(', ')}`;
  });
  return found;
}

/** Waits until the managers and workers of the cluster are all ready, as `host` sees it. */
export async function nodesReady(host: Host, count: number): Promise<void> {
  await eventually(async () => {
    const ready = (await nodesOf(host)).filter((node) => node.Status.State === 'ready');
    return ready.length === count ? undefined : `${ready.length} of ${count} nodes are ready`;
  });
}

/** The host whose manager leads, as `seenBy` tells it. */
export async function leaderOf(hosts: readonly Host[], seenBy: Host): Promise<Host> {
  let leader: Host | undefined;
  await eventually(async () => {
    const node = (await nodesOf(seenBy)).find((one) => one.ManagerStatus?.Leader);
    leader = hosts.find((host) => host.name === node?.Description.Hostname);
    return leader === undefined ? 'no manager leads' : undefined;
  });
  return leader as Host;
}

/** A service spec with the lab's web image; `over` goes over its top level. */
export function webSpec(name: string, replicas: number, over: object = {}) {
  return {
    Name: name,
    TaskTemplate: { ContainerSpec: { Image: 'shoal/web:1' }, RestartPolicy: { Condition: 'any', Delay: 100_000_000 } },
    Mode: { Replicated: { Replicas: replicas } },
    ...over,
  };
}

export async function createService(host: Host, spec: object): Promise<string> {
  const { status, body } = await api<{ ID: string; message?: string }>(host, 'POST', '/services/create', spec);
  if (status !== 201) throw new Error(`POST /services/create: ${status} ${body.message}`);
  return body.ID;
}

export async function removeService(host: Host, name: string): Promise<void> {
  const { status, body } = await api<{ message?: string }>(host, 'DELETE', `/services/${name}`);
  if (status !== 200) throw new Error(`DELETE /services/${name}: ${status} ${body?.message}`);
}
