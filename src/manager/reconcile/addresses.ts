import { contains, lastOf, parseAddress, parseCIDR } from '../../model/ipv4.js';
import { inBlock, isAssignable, type NetworkBlock, networkBlock } from '../../model/network-block.js';
import { isFinal } from '../../model/states.js';
import type { Network, Task } from '../../model/types.js';
import type { View } from '../../store/view.js';
import { timeOf } from './policy.js';

/**
 * An address that moves to another node is a black hole for as long as containers remember the way to the old one: 7 to 21 s were
 * measured. Two minutes are beyond what any kernel's neighbour table keeps unasked.
 */
export const rest_ms = 120_000;

/** The addresses of one network during one pass. */
interface Pool {
  block: NetworkBlock;
  taken: Set<number>;
  /** Free again, but used lately: until when that was. */
  resting: Map<number, number>;
  /** What is left to look at from either end; each address is looked at once a pass. */
  upwards: Iterator<number>;
  downwards: Iterator<number>;
}

/**
 * Who has which address of the cluster's networks, with those that this pass gives out; looked up only once one is needed. It follows
 * from services and tasks alone, so that an address comes back when its holder is gone, whoever leads then.
 */
export class Addresses {
  readonly #view: View;
  readonly #now: number;
  #pools: Map<string, Pool> | undefined;

  constructor(view: View, now: number) {
    this.#view = view;
    this.#now = now;
  }

  /** A virtual IP in CIDR, from the top of the range: services and tasks then seldom follow each other on an address. */
  forService(networkID: string): string | undefined {
    return this.#take(networkID, 'downwards');
  }

  /** An address for a task in CIDR, from the bottom of the range; undefined when all are taken. */
  forTask(networkID: string): string | undefined {
    return this.#take(networkID, 'upwards');
  }

  /** This very address, in CIDR: one at rest too, for who asks for one has a use for it. Undefined when it is taken, kept, or none of the network's. */
  asked(networkID: string, text: string): string | undefined {
    const pool = this.#poolOf(networkID);
    const address = parseAddress(text);
    if (pool === undefined || address === undefined || pool.taken.has(address)) return undefined;
    const { subnet, reserved } = pool.block;
    if (!contains(subnet, address) || reserved.has(address)) return undefined;
    pool.taken.add(address);
    return inBlock(address, pool.block);
  }

  #poolOf(networkID: string): Pool | undefined {
    this.#pools ??= poolsOf(this.#view, this.#now);
    return this.#pools.get(networkID);
  }

  #take(networkID: string, from: 'upwards' | 'downwards'): string | undefined {
    const pool = this.#poolOf(networkID);
    if (pool === undefined) return undefined;
    const address = fresh(pool, pool[from]) ?? longestRested(pool);
    if (address === undefined) return undefined;
    pool.taken.add(address);
    return inBlock(address, pool.block);
  }
}

function fresh({ taken, resting }: Pool, candidates: Iterator<number>): number | undefined {
  for (let next = candidates.next(); !next.done; next = candidates.next()) {
    if (!taken.has(next.value) && !resting.has(next.value)) return next.value;
  }
  return undefined;
}

function longestRested({ taken, resting, block }: Pool): number | undefined {
  let rested: number | undefined;
  for (const [address, since] of resting) {
    if (taken.has(address) || !isAssignable(address, block)) continue;
    if (rested === undefined || since < resting.get(rested)!) rested = address;
  }
  return rested;
}

function* upwards(block: NetworkBlock): Generator<number> {
  for (let address = block.range.first; address <= lastOf(block.range); address++) {
    if (isAssignable(address, block)) yield address;
  }
}

function* downwards(block: NetworkBlock): Generator<number> {
  for (let address = lastOf(block.range); address >= block.range.first; address--) {
    if (isAssignable(address, block)) yield address;
  }
}

function poolsOf(view: View, now: number): Map<string, Pool> {
  const pools = new Map<string, Pool>();
  for (const network of view.list('Network')) {
    const block = networkBlock(network);
    if (block === undefined) continue;
    pools.set(network.ID, {
      block,
      taken: new Set(),
      resting: restingIn(network, now),
      upwards: upwards(block),
      downwards: downwards(block),
    });
  }
  for (const service of view.list('Service')) {
    for (const { NetworkID, Addr } of service.Endpoint?.VirtualIPs ?? []) {
      const address = parseCIDR(Addr)?.address;
      if (address !== undefined) pools.get(NetworkID)?.taken.add(address);
    }
  }
  for (const task of view.list('Task')) {
    const freed = freedAt(task);
    for (const { networkID, address } of addressesOf(task)) {
      const pool = pools.get(networkID);
      if (freed === undefined) pool?.taken.add(address);
      else if (now - freed < rest_ms) pool?.resting.set(address, freed);
    }
  }
  return pools;
}

function restingIn({ Released }: Network, now: number): Map<number, number> {
  const resting = new Map<number, number>();
  for (const { Address, At } of Released) {
    const address = parseCIDR(Address)?.address;
    const at = timeOf(At);
    if (address !== undefined && at !== undefined && now - at < rest_ms) resting.set(address, at);
  }
  return resting;
}

/** When a task that has ended gave its addresses back; undefined while they are its own. */
function freedAt(task: Task): number | undefined {
  const { State = '', AppliedAt, Timestamp } = task.Status ?? {};
  if (!isFinal(State)) return undefined;
  return timeOf(AppliedAt) ?? timeOf(Timestamp) ?? 0;
}

export function* addressesOf(task: Task): Iterable<{ networkID: string; cidr: string; address: number }> {
  for (const { Network, Addresses: list } of task.NetworksAttachments) {
    for (const cidr of list) {
      const address = parseCIDR(cidr)?.address;
      if (Network !== null && address !== undefined) yield { networkID: Network.ID, cidr, address };
    }
  }
}

/**
 * The networks whose record of addresses at rest changes as `removed` leave the store: with those that their tasks had until lately, and
 * without those that have rested.
 */
export function restAfter(view: View, removed: Iterable<Task>, now: number): Network[] {
  const released = new Map<string, { Address: string; At: string }[]>();
  for (const task of removed) {
    const at = freedAt(task) ?? now;
    if (now - at >= rest_ms) continue;
    for (const { networkID, cidr } of addressesOf(task)) {
      const list = released.get(networkID) ?? [];
      list.push({ Address: cidr, At: new Date(at).toISOString() });
      released.set(networkID, list);
    }
  }
  return [...released].flatMap(([id, list]) => {
    const network = view.get('Network', id);
    if (network === undefined) return [];
    const still = network.Released.filter(({ At }) => now - (timeOf(At) ?? 0) < rest_ms);
    return [{ ...network, Released: [...still, ...list] }];
  });
}
