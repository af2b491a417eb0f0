import { messageOf } from '../../model/errors.js';
import { hasIPv6 } from '../../model/network-block.js';
import type { NetworkItems } from '../network-table.js';
import { comparedTableName } from './names.js';
import { preroutingHook } from './network-rules.js';
import type { ForeignDevice } from './observed.js';
import type { KernelTools } from './tools.js';

/** What every link of IPv6 carries in one piece (RFC 8200, 5). */
const mtuOfIPv6_min = 1280;
const forwardingPaths = ['all', 'default'].map((name) => `net/ipv6/conf/${name}/forwarding`);
const listens = (device: string) => `net/ipv6/conf/${device}/accept_ra`;

/**
 * The machine's own way with IPv6. Once it forwards packets, which both we and the engine make it do, it takes no more addresses and routes from
 * its routers, unless told to all the same: `accept_ra` 2 instead of 1 (the kernel's Documentation/networking/ip-sysctl). That means the
 * same while it does not forward.
 */
export class HostIPv6 {
  private readonly changed = new Set<string>();
  /** What it was, by path, before the first network with IPv6. */
  private before: ReadonlyMap<string, string> | undefined;

  constructor(private readonly tools: KernelTools) {}

  /** Whether the kernel has any. */
  get isThere(): boolean {
    return this.tools.sysctl('net/ipv6/conf/all/forwarding') !== undefined;
  }

  /** Why networks with IPv6 cannot be carried, in packets of so many bytes; undefined when they can. Nothing is changed. */
  async obstacle(mtu: number): Promise<string | undefined> {
    if (!this.isThere) return 'the kernel of this node has no IPv6';
    if (mtu < mtuOfIPv6_min) {
      return `packets between nodes have ${mtu} bytes at most here, and IPv6 needs ${mtuOfIPv6_min}`;
    }
    const chain = `table ip6 ${comparedTableName} {\n  chain nat { ${preroutingHook}; }\n}\n`;
    const check = this.tools.run('nft', ['-c', '-f', '-'], chain);
    return check.then(
      () => undefined,
      (error) => `the kernel of this node has no NAT of IPv6: ${messageOf(error)}`,
    );
  }

  /** As it shall be while this node carries networks with IPv6, or when nobody has any. Throws `unavailable`. */
  async tend(isCarrying: boolean, { networks }: NetworkItems, devices: readonly ForeignDevice[]): Promise<void> {
    if (isCarrying) await this.keepListening(devices);
    else if (![...networks.values()].some(hasIPv6)) await this.putBack(devices);
  }

  /** Has devices that listen to routers now go on doing so, come what may. Throws `unavailable`. */
  async keepListening(devices: readonly ForeignDevice[]): Promise<void> {
    const { tools } = this;
    this.before ??= new Map(forwardingPaths.map((path) => [path, tools.sysctl(path) ?? '']));
    for (const { name, isPort } of devices) {
      const isListening =
        tools.sysctl(listens(name)) === '1' && tools.sysctl(`net/ipv6/conf/${name}/forwarding`) === '0';
      if (isPort || !isListening) continue;
      await tools.setSysctl(listens(name), '2');
      this.changed.add(name);
    }
  }

  /**
   * It is again as it was before, as far as this process knows that; but while a bridge of somebody else has IPv6, all stays, for that needs a
   * machine that forwards. Throws `unavailable`.
   */
  async putBack(devices: readonly ForeignDevice[]): Promise<void> {
    const { tools, before, changed } = this;
    this.before = undefined;
    const names = new Set(devices.map(({ name }) => name));
    if (before !== undefined && !devices.some(({ isBridge, hasIPv6 }) => isBridge && hasIPv6)) {
      for (const [path, value] of before) if (value === '0') await tools.setSysctl(path, value);
      const isOff = before.get(forwardingPaths[0]!) === '0';
      for (const name of changed) if (isOff && names.has(name)) await tools.setSysctl(listens(name), '1');
    }
    changed.clear();
  }
}
