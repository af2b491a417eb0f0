import { isDeepStrictEqual } from 'node:util';
import { isOpaque, isSticky } from '../model/extensions.js';
import { addressIn, isOfIPv6 } from '../model/ip.js';
import { parseAddress } from '../model/ipv4.js';
import { isFinal } from '../model/states.js';
import type { Network, NetworkEndpoint, NetworkPeer, NetworkService, Node, Service, Task } from '../model/types.js';
import type { Commit, View } from '../store/view.js';
import { type ServiceChanges, ServiceItems } from './service-items.js';

/** What the data path of every node must know of the cluster's networks, by kind and id. */
export interface NetworkItems {
  peers: ReadonlyMap<string, NetworkPeer>;
  networks: ReadonlyMap<string, Network>;
  services: ReadonlyMap<string, NetworkService>;
}

/** What a commit did to nodes and networks: of a kind, what is new or changed, and ids of what is no more. */
export interface NetworkChanges {
  peers: Map<string, NetworkPeer | undefined>;
  networks: Map<string, Network | undefined>;
}

/** Docker's (IANA's, RFC 7348). */
const dataPathPort_default = 4789;
/** The protocol of a TaskAddress that is an address on a network of the cluster. */
export const wholeAddress = 'ip';

/** What tasks on networks are there for: a service, or a container of a node's own. */
interface Owner {
  /** Undefined of one that was removed, as long as its tasks have not ended, and of a container. */
  service: Service | undefined;
  /** Also of a service that was removed. */
  name: string;
  networkIDs: Set<string>;
}

/** `NetworkItems` of the state, kept up to date commit by commit, at a cost in proportion to what a commit touches. */
export class NetworkTable implements NetworkItems {
  readonly peers = new Map<string, NetworkPeer>();
  readonly networks = new Map<string, Network>();
  private readonly items = new ServiceItems();
  private readonly owners = new Map<string, Owner>();

  /** Starts as of `view`; the first commit to apply is the one after `view.index`. The view is asked again for what holds for the cluster. */
  constructor(private readonly view: View) {
    const changes: NetworkChanges = { peers: new Map(), networks: new Map() };
    for (const node of view.list('Node')) this.setPeer(node.ID, node, changes);
    for (const network of view.list('Network')) this.setNetwork(network.ID, network, changes);
    for (const service of view.list('Service')) this.serviceChanged(service.ID, service);
    for (const task of view.list('Task')) this.taskChanged(undefined, task);
    this.items.take();
  }

  /** By id, `<network>/<service>`, of a container of a node's own `<network>/<task>`: for whoever will be told what is taken from now on. */
  get services(): ReadonlyMap<string, NetworkService> {
    return this.items.all();
  }

  /** Takes in a commit; every one exactly once and in order. What it did to services is there to be taken. */
  apply(commit: Commit): NetworkChanges {
    const changes: NetworkChanges = { peers: new Map(), networks: new Map() };
    for (const { kind, id, before, after } of commit.changes) {
      if (kind === 'Node') this.setPeer(id, after as Node | undefined, changes);
      else if (kind === 'Network') this.setNetwork(id, after as Network | undefined, changes);
      else if (kind === 'Service') this.serviceChanged(id, after as Service | undefined);
      else if (kind === 'Task') this.taskChanged(before as Task | undefined, after as Task | undefined);
    }
    return changes;
  }

  /** What has become of services since this was last asked, or since the start. */
  takeServices(): ServiceChanges {
    return this.items.take();
  }

  private setPeer(id: string, node: Node | undefined, changes: NetworkChanges): void {
    const port = this.view.cluster()?.DataPathPort || dataPathPort_default;
    put(this.peers, id, node && peerOf(node, port), changes.peers);
  }

  private setNetwork(id: string, network: Network | undefined, changes: NetworkChanges): void {
    // Which addresses rest matters to nobody but the next plan.
    put(this.networks, id, network && { ...network, Released: [], Version: null, UpdatedAt: '' }, changes.networks);
  }

  private serviceChanged(id: string, service: Service | undefined): void {
    const owner = this.ownerOf(id, service?.Spec?.Name ?? '');
    owner.service = service;
    for (const { NetworkID } of service?.Endpoint?.VirtualIPs ?? []) owner.networkIDs.add(NetworkID);
    for (const networkID of owner.networkIDs) this.look(id, owner, networkID);
    this.forget(id, owner);
  }

  private taskChanged(before: Task | undefined, after: Task | undefined): void {
    const task = after ?? before;
    if (task === undefined) return;
    const networkIDs = new Set<string>();
    for (const one of [before, after]) {
      for (const { Network: network } of one?.NetworksAttachments ?? []) if (network) networkIDs.add(network.ID);
    }
    if (networkIDs.size === 0) return;
    const id = ownerIDOf(task);
    const owner = this.ownerOf(id, task.ServiceName);
    for (const networkID of networkIDs) {
      const endpoint = after && endpointOn(after, networkID);
      if (endpoint !== undefined && !owner.networkIDs.has(networkID)) {
        owner.networkIDs.add(networkID);
        this.items.setHead(headOf(networkID, id, owner));
      }
      this.items.setTask(`${networkID}/${id}`, task.ID, endpoint);
      if (endpoint === undefined) this.look(id, owner, networkID);
    }
  }

  private ownerOf(id: string, name: string): Owner {
    let owner = this.owners.get(id);
    if (owner === undefined) {
      owner = { service: undefined, name, networkIDs: new Set() };
      this.owners.set(id, owner);
    } else if (name !== '') owner.name = name;
    return owner;
  }

  /** A service is on a network while it has a virtual IP or a task there. */
  private look(id: string, owner: Owner, networkID: string): void {
    const head = headOf(networkID, id, owner);
    if (head.VirtualIP !== '' || head.VirtualIP6 !== '' || this.items.hasTasks(head.ID)) {
      this.items.setHead(head);
      return;
    }
    this.items.remove(head.ID);
    owner.networkIDs.delete(networkID);
    this.forget(id, owner);
  }

  private forget(id: string, { service, networkIDs }: Owner): void {
    if (service === undefined && networkIDs.size === 0) this.owners.delete(id);
  }
}

function put<T>(items: Map<string, T>, id: string, item: T | undefined, changed: Map<string, T | undefined>): void {
  if (isDeepStrictEqual(items.get(id), item)) return;
  if (item === undefined) items.delete(id);
  else items.set(id, item);
  changed.set(id, item);
}

/** Undefined of a node that has not said where it is, or not by an IPv4 address. */
function peerOf({ ID, Number: number, Status, Description }: Node, port: number): NetworkPeer | undefined {
  const Address = Status?.DataPathAddr || Status?.Addr || '';
  if (number === 0 || parseAddress(Address) === undefined) return undefined;
  const EncryptionEpoch = Description?.Encryption?.Epoch ?? 0;
  return { ID, Number: number, Address, DataPathPort: port, EncryptionEpoch };
}

/** What the task is there for: its service, or itself when it keeps an address for a container of its node's own. */
function ownerIDOf(task: Task): string {
  return task.ServiceID || task.ID;
}

/** The service on a network without its tasks. A task without a service is like one without a name. */
function headOf(NetworkID: string, ServiceID: string, { service, name }: Owner): NetworkService {
  const virtual = (service?.Endpoint?.VirtualIPs ?? []).filter((one) => one.NetworkID === NetworkID);
  return {
    ID: `${NetworkID}/${ServiceID}`,
    NetworkID,
    ServiceID,
    ServiceName: name,
    VirtualIP: addressIn(virtual.findLast(({ Addr }) => !isOfIPv6(Addr))?.Addr ?? ''),
    VirtualIP6: addressIn(virtual.findLast(({ Addr }) => isOfIPv6(Addr))?.Addr ?? ''),
    Endpoints: [],
    Sticky: isSticky(service?.Spec?.Labels ?? {}),
    Opaque: isOpaque(service?.Spec?.Labels ?? {}),
  };
}

/** Undefined of a task that has no address there, or has ended. */
function endpointOn(task: Task, networkID: string): NetworkEndpoint | undefined {
  if (task.NodeID === '' || isFinal(task.Status?.State ?? '')) return undefined;
  const attachment = task.NetworksAttachments.find(({ Network: network }) => network?.ID === networkID);
  return attachment && endpointOf(task, networkID, attachment.Addresses);
}

function endpointOf(task: Task, networkID: string, cidrs: readonly string[]): NetworkEndpoint | undefined {
  const Address = addressIn(cidrs.find((cidr) => !isOfIPv6(cidr)) ?? '');
  if (Address === '') return undefined;
  const { Spec, Status, DesiredState } = task;
  const attached = Spec?.NetworkAttachmentSpec;
  const reaches = Status?.Addresses.some((one) => one.Protocol === wholeAddress && one.Host === Address) ?? false;
  return {
    TaskID: task.ID,
    NodeID: task.NodeID,
    Address,
    Address6: addressIn(cidrs.find(isOfIPv6) ?? ''),
    Serving: reaches && DesiredState === 'running' && Status?.State === 'running',
    Hostname: attached?.Hostname ?? Spec?.ContainerSpec?.Hostname ?? '',
    Aliases: Spec?.Networks.find(({ Target }) => Target === networkID)?.Aliases ?? [],
    Nameservers: attached?.Nameservers ?? Spec?.ContainerSpec?.DNSConfig?.Nameservers ?? [],
    Name: attached ? task.Name : `${task.Name}.${task.ID}`,
    ContainerID: attached?.ContainerID ?? Status?.ContainerStatus?.ContainerID ?? '',
  };
}

/** Whether the managers have said nothing new: an item is never changed, but replaced. */
export function isSameItems(before: NetworkItems, after: NetworkItems): boolean {
  const same = <T>(a: ReadonlyMap<string, T>, b: ReadonlyMap<string, T>) =>
    a === b || (a.size === b.size && [...b].every(([id, item]) => a.get(id) === item));
  return (
    same(before.peers, after.peers) && same(before.networks, after.networks) && same(before.services, after.services)
  );
}
