import { contains, parseIP } from '../../model/ip.js';
import { blocksOf } from '../../model/network-block.js';
import type { NetworkService } from '../../model/types.js';
import type { NetworkItems } from '../network-table.js';
import { type Found, NetworkNames } from './network-names.js';

/** Who asks: from which address, on which network. */
export interface Asker {
  networkID: string;
  address: string;
}

/** The names of the cluster's networks as of one state, kept up to date at a cost in proportion to what changes. */
export class NameBook {
  private items: NetworkItems = { peers: new Map(), networks: new Map(), services: new Map() };
  private readonly named = new Map<string, NetworkNames>();
  /** Networks of each holder of addresses: a container may be on several, by one task or by a task for each. */
  private readonly networksOfHolder = new Map<string, Set<string>>();

  constructor(items: NetworkItems) {
    this.update(items);
  }

  /** Names are from now on those of this state. An item is never changed, but replaced: what is the same object says the same. */
  update(items: NetworkItems): void {
    const before = this.items.services;
    this.items = items;
    if (before === items.services) return;
    for (const [id, service] of before) if (items.services.get(id) !== service) this.remove(service);
    for (const [id, service] of items.services) if (before.get(id) !== service) this.add(service);
  }

  /**
   * What the name is on the networks that the asker is on; `name.network` is looked for on that one alone. Undefined: no name of the
   * cluster's, to be asked for elsewhere.
   */
  find(asker: Asker, name: string): Found | undefined {
    const lower = name.toLowerCase();
    const wanted = lower.endsWith('.') ? lower.slice(0, -1) : lower;
    for (const networkID of this.networksOf(asker)) {
      const names = this.named.get(networkID);
      if (names === undefined) continue;
      const found = names.find(wanted) ?? this.findBefore(networkID, names, wanted);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  private findBefore(networkID: string, names: NetworkNames, wanted: string): Found | undefined {
    const suffix = `.${this.items.networks.get(networkID)?.Spec?.Name.toLowerCase()}`;
    return wanted.endsWith(suffix) ? names.find(wanted.slice(0, -suffix.length)) : undefined;
  }

  /** The name of an address; '' of one of our networks that has none, undefined of any other. */
  reverse(asker: Asker, address: string): string | undefined {
    const number = parseIP(address) ?? -1n;
    for (const networkID of this.networksOf(asker)) {
      const network = this.items.networks.get(networkID);
      if (!network || !blocksOf(network).some(({ subnet }) => contains(subnet, number))) continue;
      const name = this.named.get(networkID)?.at(address)?.name;
      return name === undefined ? '' : `${name}.${network.Spec?.Name}`;
    }
    return undefined;
  }

  /** Name servers of the asking task's own choice. */
  nameserversOf({ networkID, address }: Asker): readonly string[] {
    return this.named.get(networkID)?.at(address)?.nameservers ?? [];
  }

  /** Whether any network of the asker leads to the outside. */
  reachesOutside(asker: Asker): boolean {
    return [...this.networksOf(asker)].some((id) => this.items.networks.get(id)?.Spec?.Internal !== true);
  }

  private networksOf({ networkID, address }: Asker): Iterable<string> {
    const holder = this.named.get(networkID)?.at(address)?.holder;
    return this.networksOfHolder.get(holder ?? '') ?? [networkID];
  }

  private add(service: NetworkService): void {
    const { NetworkID } = service;
    let names = this.named.get(NetworkID);
    if (names === undefined) {
      names = new NetworkNames();
      this.named.set(NetworkID, names);
    }
    for (const holder of names.add(service)) {
      const networks = this.networksOfHolder.get(holder);
      if (networks === undefined) this.networksOfHolder.set(holder, new Set([NetworkID]));
      else networks.add(NetworkID);
    }
  }

  private remove(service: NetworkService): void {
    const { NetworkID } = service;
    const names = this.named.get(NetworkID);
    for (const holder of names?.remove(service) ?? []) {
      const networks = this.networksOfHolder.get(holder);
      networks?.delete(NetworkID);
      if (networks?.size === 0) this.networksOfHolder.delete(holder);
    }
    if (names?.isEmpty === true) this.named.delete(NetworkID);
  }
}
