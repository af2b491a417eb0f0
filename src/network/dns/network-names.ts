import type { NetworkEndpoint, NetworkService } from '../../model/types.js';

/** Where a name leads. */
export interface Found {
  /** Of IPv4. None: the name is known, and has no address now. */
  addresses: readonly string[];
  /** Of IPv6. */
  addresses6: readonly string[];
}

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
  find(name: string): Found | undefined {
    return this.own.get(name) ?? this.others.get(name);
  }

  at(address: string): Holder | undefined {
    return this.byAddress.get(address);
  }

  /** Takes in a service, or what stands for a container that is of none. The holders of addresses that came with it. */
  add(service: NetworkService): string[] {
    const { ID: item, ServiceName, VirtualIP, VirtualIP6, Endpoints } = service;
    const { own, others } = namesOf(service);
    for (const [name, found] of own) this.own.add(name, item, found);
    for (const [name, found] of others) this.others.add(name, item, found);
    for (const address of [VirtualIP, VirtualIP6]) {
      if (address !== '') this.byAddress.set(address, { item, name: ServiceName, holder: '', nameservers: [] });
    }
    return Endpoints.map((endpoint) => {
      const { Name: name, Address, Address6, Nameservers: nameservers } = endpoint;
      const holder = holderOf(endpoint);
      this.byAddress.set(Address, { item, name, holder, nameservers });
      if (Address6 !== '') this.byAddress.set(Address6, { item, name, holder, nameservers });
      return holder;
    });
  }

  /** Undoes `add` of the same object; returns the same. */
  remove(service: NetworkService): string[] {
    const { ID: item, VirtualIP, VirtualIP6, Endpoints } = service;
    const { own, others } = namesOf(service);
    for (const name of own.keys()) this.own.remove(name, item);
    for (const name of others.keys()) this.others.remove(name, item);
    const held = Endpoints.flatMap(({ Address, Address6 }) => [Address, Address6]);
    for (const address of [VirtualIP, VirtualIP6, ...held]) {
      if (this.byAddress.get(address)?.item === item) this.byAddress.delete(address);
    }
    return Endpoints.map(holderOf);
  }
}

/** Names with what leads there, by who has them. */
class Shared {
  private readonly holders = new Map<string, Map<string, Found>>();

  get isEmpty(): boolean {
    return this.holders.size === 0;
  }

  get(name: string): Found | undefined {
    const holders = this.holders.get(name);
    if (holders === undefined) return undefined;
    const [first = nowhere, ...more] = holders.values();
    return more.length === 0 ? first : joined([first, ...more]);
  }

  add(name: string, item: string, found: Found): void {
    const holders = this.holders.get(name);
    if (holders === undefined) this.holders.set(name, new Map([[item, found]]));
    else holders.set(item, found);
  }

  remove(name: string, item: string): void {
    const holders = this.holders.get(name);
    holders?.delete(item);
    if (holders?.size === 0) this.holders.delete(name);
  }
}

const nowhere: Found = { addresses: [], addresses6: [] };

function joined(all: readonly Found[]): Found {
  return {
    addresses: [...new Set(all.flatMap(({ addresses }) => addresses))],
    addresses6: [...new Set(all.flatMap(({ addresses6 }) => addresses6))],
  };
}

/** Addresses that a name leads to, '' standing for none. */
function leadingTo(addresses: readonly string[], addresses6: readonly string[]): Found {
  const isThere = (address: string) => address !== '';
  return { addresses: addresses.filter(isThere), addresses6: addresses6.filter(isThere) };
}

function namesOf({ ServiceName, VirtualIP, VirtualIP6, Endpoints }: NetworkService): {
  own: ReadonlyMap<string, Found>;
  others: ReadonlyMap<string, Found>;
} {
  const serving = Endpoints.filter(({ Serving }) => Serving);
  const tasks = leadingTo(
    serving.map(({ Address }) => Address),
    serving.map(({ Address6 }) => Address6),
  );
  const leadsTo = VirtualIP === '' ? tasks : leadingTo([VirtualIP], [VirtualIP6]);
  const name = ServiceName.toLowerCase();
  const own = new Map<string, Found>();
  if (name !== '') own.set(name, leadsTo).set(`tasks.${name}`, tasks);
  const others = new Map<string, { addresses: string[]; addresses6: string[] }>();
  const share = (shared: string, { addresses, addresses6 }: Found) => {
    const key = shared.toLowerCase();
    const known = others.get(key);
    if (known === undefined) others.set(key, { addresses: [...addresses], addresses6: [...addresses6] });
    else {
      known.addresses.push(...addresses);
      known.addresses6.push(...addresses6);
    }
  };
  for (const endpoint of serving) {
    const found = leadingTo([endpoint.Address], [endpoint.Address6]);
    for (const one of namesOfTask(endpoint)) share(one, found);
  }
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
