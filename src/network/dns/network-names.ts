import type { NetworkEndpoint, NetworkService } from '../../model/types.js';

/** Whose an address is. */
export interface Holder {
  /** As a PTR record says, without the network's name. */
  name: string;
  /** What it is by its addresses on several networks; '' of a virtual IP. */
  holder: string;
  nameservers: readonly string[];
}

/** The names on one network, service by service. */
export class NetworkNames {
  /** Services and `tasks.<service>`: a service's name is its own, whatever containers are called. */
  private readonly own = new Shared();
  /** Aliases, containers and host names, which lead to all that have them. */
  private readonly others = new Shared();
  private readonly byAddress = new Map<string, Holder & { item: string }>();

  get isEmpty(): boolean {
    return this.byAddress.size === 0 && this.own.isEmpty && this.others.isEmpty;
  }

  /** By lower-case name; undefined of a name that nobody has. */
  find(name: string): readonly string[] | undefined {
    return this.own.get(name) ?? this.others.get(name);
  }

  at(address: string): Holder | undefined {
    return this.byAddress.get(address);
  }

  /** Takes in a service, or what stands for a container that is of none. The holders of addresses that came with it. */
  add(service: NetworkService): string[] {
    const { ID: item, ServiceName, VirtualIP, Endpoints } = service;
    const { own, others } = namesOf(service);
    for (const [name, addresses] of own) this.own.add(name, item, addresses);
    for (const [name, addresses] of others) this.others.add(name, item, addresses);
    if (VirtualIP !== '') this.byAddress.set(VirtualIP, { item, name: ServiceName, holder: '', nameservers: [] });
    return Endpoints.map((endpoint) => {
      const holder = holderOf(endpoint);
      this.byAddress.set(endpoint.Address, { item, name: endpoint.Name, holder, nameservers: endpoint.Nameservers });
      return holder;
    });
  }

  /** Undoes `add` of the same object; returns the same. */
  remove(service: NetworkService): string[] {
    const { ID: item, VirtualIP, Endpoints } = service;
    const { own, others } = namesOf(service);
    for (const name of own.keys()) this.own.remove(name, item);
    for (const name of others.keys()) this.others.remove(name, item);
    for (const address of [VirtualIP, ...Endpoints.map(({ Address }) => Address)]) {
      if (this.byAddress.get(address)?.item === item) this.byAddress.delete(address);
    }
    return Endpoints.map(holderOf);
  }
}

/** Names with what leads there, by who has them. */
class Shared {
  private readonly holders = new Map<string, Map<string, readonly string[]>>();

  get isEmpty(): boolean {
    return this.holders.size === 0;
  }

  get(name: string): readonly string[] | undefined {
    const holders = this.holders.get(name);
    if (holders === undefined) return undefined;
    const [first = [], ...more] = holders.values();
    return more.length === 0 ? first : [...new Set([first, ...more].flat())];
  }

  add(name: string, item: string, addresses: readonly string[]): void {
    const holders = this.holders.get(name);
    if (holders === undefined) this.holders.set(name, new Map([[item, addresses]]));
    else holders.set(item, addresses);
  }

  remove(name: string, item: string): void {
    const holders = this.holders.get(name);
    holders?.delete(item);
    if (holders?.size === 0) this.holders.delete(name);
  }
}

function namesOf({ ServiceName, VirtualIP, Endpoints }: NetworkService): {
  own: ReadonlyMap<string, readonly string[]>;
  others: ReadonlyMap<string, readonly string[]>;
} {
  const serving = Endpoints.filter(({ Serving }) => Serving);
  const addresses = serving.map(({ Address }) => Address);
  const leadsTo = VirtualIP === '' ? addresses : [VirtualIP];
  const name = ServiceName.toLowerCase();
  const own = new Map<string, readonly string[]>();
  if (name !== '') own.set(name, leadsTo).set(`tasks.${name}`, addresses);
  const others = new Map<string, string[]>();
  const share = (shared: string, with_: readonly string[]) => {
    const key = shared.toLowerCase();
    const known = others.get(key);
    if (known === undefined) others.set(key, [...with_]);
    else known.push(...with_);
  };
  for (const endpoint of serving) for (const one of namesOfTask(endpoint)) share(one, [endpoint.Address]);
  const aliases = new Set<string>();
  for (const endpoint of Endpoints) for (const alias of endpoint.Aliases) aliases.add(alias);
  for (const alias of aliases) share(alias, leadsTo);
  return { own, others };
}

function namesOfTask({ Name, Hostname, ContainerID }: NetworkEndpoint): string[] {
  const host = Hostname.includes('{{') ? '' : Hostname;
  return [Name, ContainerID.slice(0, 12), host].filter((name) => name !== '');
}

function holderOf({ ContainerID, TaskID }: NetworkEndpoint): string {
  return ContainerID || TaskID;
}
