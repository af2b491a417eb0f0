import { contains, type Family, familyOf, lastOf, parseCIDR, parseIP } from '../../model/ip.js';
import { inBlock, isAssignable, type NetworkBlock, segmentsOf } from '../../model/network-block.js';
import { isFinal } from '../../model/states.js';
import type { Network, Task } from '../../model/types.js';
import type { View } from '../../store/view.js';
import { timeOf } from './policy.js';

/**
 * An address that moves to another node is a black hole for as long as containers remember the way to the old one: 7 to 21 s were
 * measured. Two minutes are beyond what any kernel's neighbour table keeps unasked.
 */
export const rest_ms = 120_000;

type Way = 'upwards' | 'downwards';

/** The addresses of one subnet during one pass. */
interface Pool {
  block: NetworkBlock;
  taken: Set<bigint>;
  /** Free again, but used lately: until when that was. */
  resting: Map<bigint, number>;
  /** Where to look on from either end: each address is looked at once a pass. */
  next: Record<Way, bigint>;
}

/** Addresses in CIDR; or the family of which the network has none left. */
export type Given = readonly string[] | Family;

/**
 * Who has which address of the cluster's networks, with those that this pass gives out; looked up only once one is needed. It follows
 * from services and tasks alone, so that an address comes back when its holder is gone, whoever leads then.
 */
export class Addresses {
  readonly #view: View;
  readonly #now: number;
  #segments: Map<string, Pool[][]> | undefined;

  constructor(view: View, now: number) {
    this.#view = view;
    this.#now = now;
  }

  /** A virtual IP in CIDR, from the top of the range: services and tasks then seldom follow each other on an address. */
  forService(networkID: string, family: Family): string | undefined {
    const pools = this.#segmentsOf(networkID).flat();
    const given = take(
      pools.filter(({ block }) => familyOf(block.subnet.first) === family).map((pool) => [pool]),
      'downwards',
    );
    return typeof given === 'number' ? undefined : given[0];
  }

  /** For a task, from the bottom of the range: one of IPv4 and, where the network has IPv6, one of that, in the same segment. */
  forTask(networkID: string): Given {
    return take(this.#segmentsOf(networkID), 'upwards');
  }

  /**
   * These very addresses, one a family at most: those at rest too, for who asks for one has a use for it; of a family that is not among them
   * any. Undefined when one is taken, kept, or none of the network's.
   */
  asked(networkID: string, texts: readonly string[]): Given | undefined {
    const wanted = texts.map(parseIP);
    const segment = this.#segmentsOf(networkID).find((pools) =>
      wanted.every((address) => address !== undefined && pools.some(({ block }) => contains(block.subnet, address))),
    );
    if (segment === undefined) return undefined;
    const given: string[] = [];
    for (const pool of segment) {
      const of = wanted.filter((address) => address !== undefined && contains(pool.block.subnet, address));
      if (of.length > 1) return undefined;
      const address = of[0] ?? candidate(pool, 'upwards') ?? longestRested(pool);
      if (address === undefined) return familyOf(pool.block.subnet.first);
      if (pool.taken.has(address) || pool.block.reserved.has(address)) return undefined;
      given.push(inBlock(address, pool.block));
    }
    for (const pool of segment) keep(pool, given);
    return given;
  }

  #segmentsOf(networkID: string): Pool[][] {
    this.#segments ??= poolsOf(this.#view, this.#now);
    return this.#segments.get(networkID) ?? [];
  }
}

/** One of each pool of the first segment that has them: one that was not used lately, before any that was. */
function take(segments: readonly Pool[][], way: Way): Given {
  let lacking: Family = 4;
  for (const find of [candidate, (pool: Pool, on: Way) => candidate(pool, on) ?? longestRested(pool)]) {
    for (const pools of segments) {
      const found = pools.map((pool) => find(pool, way));
      const missing = pools.find((_, at) => found[at] === undefined);
      if (missing !== undefined) {
        lacking = familyOf(missing.block.subnet.first);
        continue;
      }
      const given = pools.map(({ block }, at) => inBlock(found[at]!, block));
      for (const pool of pools) keep(pool, given);
      return given;
    }
  }
  return lacking;
}

function keep({ block, taken }: Pool, given: readonly string[]): void {
  for (const cidr of given) {
    const { address } = parseCIDR(cidr)!;
    if (contains(block.subnet, address)) taken.add(address);
  }
}

/** The next that nobody has or had lately. It is the next again until it is taken. */
function candidate({ block, taken, resting, next }: Pool, way: Way): bigint | undefined {
  const step = way === 'upwards' ? 1n : -1n;
  let address = next[way];
  const isFree = () => isAssignable(address, block) && !taken.has(address) && !resting.has(address);
  while (contains(block.range, address) && !isFree()) address += step;
  next[way] = address;
  return contains(block.range, address) ? address : undefined;
}

function longestRested({ taken, resting, block }: Pool): bigint | undefined {
  let rested: bigint | undefined;
  for (const [address, since] of resting) {
    if (taken.has(address) || !isAssignable(address, block)) continue;
    if (rested === undefined || since < resting.get(rested)!) rested = address;
  }
  return rested;
}

/**
 * So many are enough for everybody, in the largest subnet of IPv6 as well. Its topmost addresses mean other things (RFC 2526), and nobody
 * likes to read them.
 */
const count_max = 2n ** 24n;

function poolIn(block: NetworkBlock): Pool {
  const { first } = block.range;
  const last = lastOf(block.range);
  const top = familyOf(first) === 6 && last - first >= count_max ? first + count_max - 1n : last;
  return { block, taken: new Set(), resting: new Map(), next: { upwards: first, downwards: top } };
}

/** By network and segment, those of IPv4 first. */
function poolsOf(view: View, now: number): Map<string, Pool[][]> {
  const segments = new Map<string, Pool[][]>();
  for (const network of view.list('Network')) {
    const pools = segmentsOf(network).map(({ ipv4, ipv6 }) => (ipv6 === undefined ? [ipv4] : [ipv4, ipv6]).map(poolIn));
    segments.set(network.ID, pools);
    for (const [address, at] of restingIn(network, now)) poolAt(pools, address)?.resting.set(address, at);
  }
  const poolOf = (networkID: string, address: bigint) => poolAt(segments.get(networkID) ?? [], address);
  for (const service of view.list('Service')) {
    for (const { NetworkID, Addr } of service.Endpoint?.VirtualIPs ?? []) {
      const address = parseCIDR(Addr)?.address;
      if (address !== undefined) poolOf(NetworkID, address)?.taken.add(address);
    }
  }
  for (const task of view.list('Task')) {
    const freed = freedAt(task);
    for (const { networkID, address } of addressesOf(task)) {
      const pool = poolOf(networkID, address);
      if (freed === undefined) pool?.taken.add(address);
      else if (now - freed < rest_ms) pool?.resting.set(address, freed);
    }
  }
  return segments;
}

function poolAt(segments: readonly Pool[][], address: bigint): Pool | undefined {
  for (const pools of segments) for (const pool of pools) if (contains(pool.block.subnet, address)) return pool;
  return undefined;
}

function restingIn({ Released }: Network, now: number): Map<bigint, number> {
  const resting = new Map<bigint, number>();
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

export function* addressesOf(task: Task): Iterable<{ networkID: string; cidr: string; address: bigint }> {
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
