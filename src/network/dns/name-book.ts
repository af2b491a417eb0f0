import { contains, parseAddress } from '../../model/ipv4.js';
import { networkBlock } from '../../model/network-block.js';
import type { NetworkEndpoint, NetworkService } from '../../model/types.js';
import type { NetworkItems } from '../network-table.js';

/** What a name leads to; undefined: no name of the cluster's, to be asked for elsewhere. */
export interface Found {
  /** None: the name is known, and has no address now. */
  addresses: readonly string[];
}

/** Who asks: from which address, on which network. */
export interface Asker {
  networkID: string;
  address: string;
}

interface Names {
  /** By lower-case name: services and aliases, `tasks.<service>`, and tasks by container name, id and host name. */
  byName: Map<string, string[]>;
  byAddress: Map<string, string>;
}

/** The names of the cluster's networks as of one state. Each network is indexed when it is first asked about. */
export class NameBook {
  private readonly ofNetwork = new Map<string, Names>();
  private readonly servicesOn = new Map<string, NetworkService[]>();
  /** Who has an address: a container may be on several networks, by one task or by a task for each. */
  private readonly holderAt = new Map<string, { id: string; nameservers: readonly string[] }>();
  private readonly networksOfHolder = new Map<string, string[]>();

  constructor(private readonly items: NetworkItems) {
    for (const service of items.services.values()) {
      const services = this.servicesOn.get(service.NetworkID);
      if (services === undefined) this.servicesOn.set(service.NetworkID, [service]);
      else services.push(service);
      for (const { TaskID, ContainerID, Address, Nameservers } of service.Endpoints) {
        const id = ContainerID || TaskID;
        this.holderAt.set(`${service.NetworkID} ${Address}`, { id, nameservers: Nameservers });
        const networks = this.networksOfHolder.get(id);
        if (networks === undefined) this.networksOfHolder.set(id, [service.NetworkID]);
        else networks.push(service.NetworkID);
      }
    }
  }

  /** What the name is on the networks that the asker is on; `name.network` is looked for on that one alone. */
  find(asker: Asker, name: string): Found | undefined {
    const wanted = name.toLowerCase().replace(/\.$/, '');
    for (const networkID of this.networksOf(asker)) {
      const { byName } = this.namesOn(networkID);
      const suffix = `.${this.items.networks.get(networkID)?.Spec?.Name.toLowerCase()}`;
      const addresses =
        byName.get(wanted) ?? (wanted.endsWith(suffix) ? byName.get(wanted.slice(0, -suffix.length)) : undefined);
      if (addresses !== undefined) return { addresses };
    }
    return undefined;
  }

  /** The name of an address; '' of one of our networks that has none, undefined of any other. */
  reverse(asker: Asker, address: string): string | undefined {
    const number = parseAddress(address) ?? -1;
    for (const networkID of this.networksOf(asker)) {
      const network = this.items.networks.get(networkID);
      const block = network && networkBlock(network);
      if (block === undefined || !contains(block.subnet, number)) continue;
      const name = this.namesOn(networkID).byAddress.get(address);
      return name === undefined ? '' : `${name}.${network?.Spec?.Name}`;
    }
    return undefined;
  }

  /** Name servers of the asking task's own choice. */
  nameserversOf({ networkID, address }: Asker): readonly string[] {
    return this.holderAt.get(`${networkID} ${address}`)?.nameservers ?? [];
  }

  /** Whether any network of the asker leads to the outside. */
  reachesOutside(asker: Asker): boolean {
    return this.networksOf(asker).some((id) => this.items.networks.get(id)?.Spec?.Internal !== true);
  }

  private networksOf({ networkID, address }: Asker): readonly string[] {
    const holder = this.holderAt.get(`${networkID} ${address}`);
    return (holder && this.networksOfHolder.get(holder.id)) ?? [networkID];
  }

  private namesOn(networkID: string): Names {
    let names = this.ofNetwork.get(networkID);
    if (names === undefined) {
      names = namesOf(this.servicesOn.get(networkID) ?? []);
      this.ofNetwork.set(networkID, names);
    }
    return names;
  }
}

/** A service's name is its own, whatever containers are called; what tasks and containers share leads to all of them. */
function namesOf(services: readonly NetworkService[]): Names {
  const names: Names = { byName: new Map(), byAddress: new Map() };
  const shared = new Map<string, Set<string>>();
  const share = (name: string, addresses: readonly string[]) => {
    const all = shared.get(name) ?? new Set();
    for (const address of addresses) all.add(address);
    shared.set(name, all);
  };
  for (const service of services) {
    const { ServiceName, VirtualIP } = service;
    const serving = service.Endpoints.filter(({ Serving }) => Serving);
    const addresses = serving.map(({ Address }) => Address);
    const own = VirtualIP === '' ? addresses : [VirtualIP];
    if (VirtualIP !== '') names.byAddress.set(VirtualIP, ServiceName);
    if (ServiceName !== '') {
      names.byName.set(ServiceName.toLowerCase(), own);
      names.byName.set(`tasks.${ServiceName.toLowerCase()}`, addresses);
    }
    for (const endpoint of service.Endpoints) names.byAddress.set(endpoint.Address, endpoint.Name);
    for (const endpoint of serving) for (const name of namesOfTask(endpoint)) share(name, [endpoint.Address]);
    for (const alias of new Set(service.Endpoints.flatMap(({ Aliases }) => Aliases))) share(alias.toLowerCase(), own);
  }
  for (const [name, addresses] of shared) if (!names.byName.has(name)) names.byName.set(name, [...addresses]);
  return names;
}

function namesOfTask({ Name, Hostname, ContainerID }: NetworkEndpoint): string[] {
  const host = Hostname.includes('{{') ? '' : Hostname;
  return [Name, ContainerID.slice(0, 12), host].filter((name) => name !== '').map((name) => name.toLowerCase());
}
