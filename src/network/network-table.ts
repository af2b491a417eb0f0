import { isDeepStrictEqual } from 'node:util';
import { isOpaque, isSticky } from '../model/extensions.js';
import { formatAddress, parseAddress, parseCIDR } from '../model/ipv4.js';
import { isFinal } from '../model/states.js';
import type { Network, NetworkEndpoint, NetworkPeer, NetworkService, Node, Service, Task } from '../model/types.js';
import type { Commit, View } from '../store/view.js';
import { compare } from './endpoints.js';

/** What the data path of every node must know of the cluster's networks, by kind and id. */
export interface NetworkItems {
  peers: ReadonlyMap<string, NetworkPeer>;
  networks: ReadonlyMap<string, Network>;
  services: ReadonlyMap<string, NetworkService>;
}

/** What a commit did to it: of a kind, what is new or changed, and ids of what is no more. */
export interface NetworkChanges {
  peers: Map<string, NetworkPeer | undefined>;
  networks: Map<string, Network | undefined>;
  services: Map<string, NetworkService | undefined>;
}

/** Docker's (IANA's, RFC 7348). */
const dataPathPort_default = 4789;
/** The protocol of a TaskAddress that is an address on a network of the cluster. */
export const wholeAddress = 'ip';

/** `NetworkItems` of the state, kept up to date commit by commit, at a cost in proportion to what a commit touches. */
export class NetworkTable implements NetworkItems {
  readonly peers = new Map<string, NetworkPeer>();
  readonly networks = new Map<string, Network>();
  readonly services = new Map<string, NetworkService>();
  /** Ids of a service's items: one for each network it is on. */
  private readonly ofService = new Map<string, Set<string>>();

  /** Starts as of `view`; the first commit to apply is the one after `view.index`. The view is asked again with every commit. */
  constructor(private readonly view: View) {
    const all = new Set<string>();
    for (const task of view.list('Task')) all.add(ownerOf(task));
    for (const { ID } of view.list('Service')) all.add(ID);
    const changes = noChanges();
    for (const node of view.list('Node')) this.setPeer(node.ID, node, changes);
    for (const network of view.list('Network')) this.setNetwork(network.ID, network, changes);
    for (const id of all) this.rebuild(id, changes);
  }

  apply(commit: Commit): NetworkChanges {
    const changes = noChanges();
    const touched = new Set<string>();
    for (const { kind, id, before, after } of commit.changes) {
      if (kind === 'Node') this.setPeer(id, after as Node | undefined, changes);
      else if (kind === 'Network') this.setNetwork(id, after as Network | undefined, changes);
      else if (kind === 'Service') touched.add(id);
      else if (kind === 'Task') {
        for (const task of [before, after] as (Task | undefined)[]) {
          if (task !== undefined && task.NetworksAttachments.length > 0) touched.add(ownerOf(task));
        }
      }
    }
    for (const id of touched) this.rebuild(id, changes);
    return changes;
  }

  private setPeer(id: string, node: Node | undefined, changes: NetworkChanges): void {
    const port = this.view.cluster()?.DataPathPort || dataPathPort_default;
    put(this.peers, id, node && peerOf(node, port), changes.peers);
  }

  private setNetwork(id: string, network: Network | undefined, changes: NetworkChanges): void {
    // Which addresses rest matters to nobody but the next plan.
    put(this.networks, id, network && { ...network, Released: [], Version: null, UpdatedAt: '' }, changes.networks);
  }

  private rebuild(serviceID: string, changes: NetworkChanges): void {
    const known = this.ofService.get(serviceID) ?? new Set();
    const now = new Set<string>();
    for (const item of networkServices(this.view, serviceID)) {
      now.add(item.ID);
      put(this.services, item.ID, item, changes.services);
    }
    for (const id of known) if (!now.has(id)) put(this.services, id, undefined, changes.services);
    if (now.size > 0) this.ofService.set(serviceID, now);
    else this.ofService.delete(serviceID);
  }
}

function noChanges(): NetworkChanges {
  return { peers: new Map(), networks: new Map(), services: new Map() };
}

function put<T>(items: Map<string, T>, id: string, item: T | undefined, changed: Map<string, T | undefined>): void {
  if (isDeepStrictEqual(items.get(id), item)) return;
  if (item === undefined) items.delete(id);
  else items.set(id, item);
  changed.set(id, item);
}

/** Undefined of a node that has not said where it is, or not by an IPv4 address. */
function peerOf({ ID, Number: number, Status }: Node, port: number): NetworkPeer | undefined {
  const Address = Status?.DataPathAddr || Status?.Addr || '';
  if (number === 0 || parseAddress(Address) === undefined) return undefined;
  return { ID, Number: number, Address, DataPathPort: port };
}

/** What the task is there for: its service, or itself when it keeps an address for a container of its node's own. */
function ownerOf(task: Task): string {
  return task.ServiceID || task.ID;
}

/**
 * The service on each of its networks: of one that was removed, as long as its tasks have not ended. A task without a service is like one
 * without a name.
 */
export function networkServices(view: View, serviceID: string): NetworkService[] {
  const service = view.get('Service', serviceID);
  const items = new Map<string, NetworkService>();
  const itemOn = (NetworkID: string): NetworkService => {
    let item = items.get(NetworkID);
    if (item === undefined) {
      item = emptyOn(NetworkID, serviceID, service);
      items.set(NetworkID, item);
    }
    return item;
  };
  for (const { NetworkID, Addr } of service?.Endpoint?.VirtualIPs ?? []) itemOn(NetworkID).VirtualIP = bare(Addr);
  const alone = view.get('Task', serviceID);
  const tasks = alone === undefined ? [...view.tasksOfService(serviceID)] : [alone];
  tasks.sort((a, b) => compare(a.ID, b.ID));
  for (const task of tasks) {
    if (task.NodeID === '' || isFinal(task.Status?.State ?? '')) continue;
    for (const { Network: network, Addresses } of task.NetworksAttachments) {
      const endpoint = network && endpointOf(task, network.ID, bare(Addresses[0] ?? ''));
      if (!endpoint) continue;
      const item = itemOn(network.ID);
      item.ServiceName ||= task.ServiceName;
      item.Endpoints.push(endpoint);
    }
  }
  return [...items.values()];
}

function emptyOn(NetworkID: string, ServiceID: string, service: Service | undefined): NetworkService {
  return {
    ID: `${NetworkID}/${ServiceID}`,
    NetworkID,
    ServiceID,
    ServiceName: service?.Spec?.Name ?? '',
    VirtualIP: '',
    Endpoints: [],
    Sticky: isSticky(service?.Spec?.Labels ?? {}),
    Opaque: isOpaque(service?.Spec?.Labels ?? {}),
  };
}

function endpointOf(task: Task, networkID: string, Address: string): NetworkEndpoint | undefined {
  if (Address === '') return undefined;
  const { Spec, Status, DesiredState } = task;
  const attached = Spec?.NetworkAttachmentSpec;
  const reaches = Status?.Addresses.some((one) => one.Protocol === wholeAddress && one.Host === Address) ?? false;
  return {
    TaskID: task.ID,
    NodeID: task.NodeID,
    Address,
    Serving: reaches && DesiredState === 'running' && Status?.State === 'running',
    Hostname: attached?.Hostname ?? Spec?.ContainerSpec?.Hostname ?? '',
    Aliases: Spec?.Networks.find(({ Target }) => Target === networkID)?.Aliases ?? [],
    Nameservers: attached?.Nameservers ?? Spec?.ContainerSpec?.DNSConfig?.Nameservers ?? [],
    Name: attached ? task.Name : `${task.Name}.${task.ID}`,
    ContainerID: attached?.ContainerID ?? Status?.ContainerStatus?.ContainerID ?? '',
  };
}

function bare(cidr: string): string {
  const address = parseCIDR(cidr)?.address;
  return address === undefined ? '' : formatAddress(address);
}

/** Whether the managers have said nothing new: an item is never changed, but replaced. */
export function isSameItems(before: NetworkItems, after: NetworkItems): boolean {
  const same = <T>(a: ReadonlyMap<string, T>, b: ReadonlyMap<string, T>) =>
    a.size === b.size && [...b].every(([id, item]) => a.get(id) === item);
  return (
    same(before.peers, after.peers) && same(before.networks, after.networks) && same(before.services, after.services)
  );
}
