import { contains, parseCIDR, parseIP } from '../../model/ip.js';
import { type ActualKernel, nothing } from './commands.js';
import { encryptedTunnel, isBridgeName, numberMask, passMark, plainTunnel, returnPriority } from './names.js';
import type { KernelTools } from './tools.js';

/** What `ip -j -d addr show` says of a device, as much of it as is looked at. */
interface Device {
  ifname: string;
  mtu: number;
  flags: string[];
  address: string;
  master?: string;
  linkinfo?: {
    info_kind?: string;
    info_data?: { local?: string; port?: number; nf_call_iptables?: number; nf_call_ip6tables?: number };
    info_slave_kind?: string;
    info_slave_data?: { hairpin?: boolean };
  };
  addr_info: { family: string; local: string; prefixlen: number; scope?: string }[];
}
interface Way {
  dst: string;
  gateway?: string;
  table?: string;
  protocol?: string;
}

/** What is there: of the tunnel, of our bridges, and of the machine's own network. */
export interface Observed extends ActualKernel {
  /** The same of the tunnel of encrypted networks. */
  encrypted: ActualKernel;
  /** Bridges named as ours are. */
  bridges: readonly string[];
  /** Settings of theirs with which packets do not pass our rules, `<bridge> type bridge <setting>`. */
  bypassing: readonly string[];
  /** All devices of the machine but ours. */
  foreign: readonly ForeignDevice[];
  /** MTU of the device that has the address; undefined when none has. */
  mtuOf(address: string): number | undefined;
  /** The bridge, not one of ours, in whose subnet the address is; undefined when it is in none. */
  foreignBridgeOf(address: string): string | undefined;
}

/** A device that is not ours. */
export interface ForeignDevice {
  name: string;
  /** Of a bridge. */
  isPort: boolean;
  isBridge: boolean;
  /** Whether it has an address of IPv6 that means something beyond its link. */
  hasIPv6: boolean;
}

/** Looks at the kernel. Throws what the tools throw. */
export async function observe(tools: KernelTools): Promise<Observed> {
  const devices = parse<Device>(await tools.run('ip', ['-j', '-d', 'addr', 'show']));
  const [tunnel, encrypted] = [plainTunnel, encryptedTunnel].map(({ device }) =>
    devices.find(({ ifname }) => ifname === device),
  );
  const ourBridges = devices.filter(isOurBridge);
  const bridges = ourBridges.map(({ ifname }) => ifname);
  const others = devices.filter((one) => one !== tunnel && one !== encrypted && !ourBridges.includes(one));
  const foreignBridges = others.filter(isBridge);
  const [plain, rules, encryptedWays, proxies] = await Promise.all([
    observeTunnel(tunnel, tools),
    tools.run('ip', ['-j', '-4', 'rule', 'show']),
    observeTunnel(encrypted, tools),
    ourBridges.some(hasGlobalIPv6) ? tools.run('ip', ['-j', '-6', 'neigh', 'show', 'proxy']) : '',
  ]);
  return {
    ...plain,
    encrypted: { ...nothing, ...encryptedWays },
    bridges,
    bypassing: ourBridges.flatMap(bypassing),
    foreign: others.map((device) => ({
      name: device.ifname,
      isPort: device.master !== undefined,
      isBridge: isBridge(device),
      hasIPv6: hasGlobalIPv6(device),
    })),
    proxies: new Set(
      parse<{ dst: string; dev: string }>(proxies)
        .filter(({ dev }) => isBridgeName(dev))
        .map(({ dst, dev }) => `${dst} dev ${dev}`),
    ),
    returnRules: new Set(
      parse<{ priority: number; table?: string }>(rules)
        .filter(({ priority, table }) => priority === returnPriority && isOurTable(table))
        .map(({ table }) => Number(table)),
    ),
    oneWayPorts: devices
      .filter(({ master = '', linkinfo }) => bridges.includes(master) && linkinfo?.info_slave_data?.hairpin === false)
      .map(({ ifname }) => ifname),
    mtuOf: (address) => devices.find(({ addr_info }) => addr_info.some(({ local }) => local === address))?.mtu,
    foreignBridgeOf: (address) => foreignBridges.find((device) => hasInSubnet(device, address))?.ifname,
  };
}

/** What there is of a tunnel; undefined: there is no such device. */
async function observeTunnel(
  device: Device | undefined,
  tools: KernelTools,
): Promise<Pick<ActualKernel, 'tunnel' | 'routes' | 'returns' | 'neighbours' | 'forwarding'>> {
  if (device === undefined) return nothing;
  const { ifname } = device;
  const ofIPv6 = (...words: string[]) => (hasGlobalIPv6(device) ? tools.run('ip', ['-j', '-6', ...words]) : '');
  const [routes, neighbours, forwarding, routes6, neighbours6] = await Promise.all([
    tools.run('ip', ['-j', '-4', 'route', 'show', 'table', 'all', 'dev', ifname]),
    tools.run('ip', ['-j', '-4', 'neigh', 'show', 'dev', ifname, 'nud', 'permanent']),
    tools.run('bridge', ['-j', 'fdb', 'show', 'dev', ifname]),
    ofIPv6('route', 'show', 'dev', ifname),
    ofIPv6('neigh', 'show', 'dev', ifname, 'nud', 'permanent'),
  ]);
  const allRoutes = parse<Way>(routes);
  return {
    tunnel: tunnelOf(device),
    // What the kernel puts in by itself is the way to the device's own address.
    routes: new Map(
      [...allRoutes, ...parse<Way>(routes6).filter(({ protocol }) => protocol !== 'kernel')]
        .filter(({ table }) => table === undefined)
        .map(({ dst, gateway }) => [dst, gateway ?? '']),
    ),
    returns: new Map(
      allRoutes.filter(({ table }) => isOurTable(table)).map(({ gateway, table }) => [Number(table), gateway ?? '']),
    ),
    neighbours: new Map(
      [neighbours, neighbours6].flatMap((text) =>
        parse<{ dst: string; lladdr?: string }>(text).map(({ dst, lladdr = '' }): [string, string] => [dst, lladdr]),
      ),
    ),
    forwarding: new Map(
      parse<{ mac: string; dst?: string }>(forwarding).flatMap(({ mac, dst }) =>
        dst === undefined ? [] : [[mac, dst]],
      ),
    ),
  };
}

function parse<T>(text: string): T[] {
  return text.trim() === '' ? [] : (JSON.parse(text) as T[]);
}

function isBridge({ linkinfo }: Device): boolean {
  return linkinfo?.info_kind === 'bridge';
}

function isOurBridge(device: Device): boolean {
  return isBridge(device) && isBridgeName(device.ifname);
}

function hasGlobalIPv6({ addr_info }: Device): boolean {
  return addr_info.some(isGlobalIPv6);
}

function isGlobalIPv6({ family, scope }: Device['addr_info'][number]): boolean {
  return family === 'inet6' && scope === 'global';
}

function bypassing(bridge: Device): string[] {
  const { nf_call_iptables, nf_call_ip6tables } = bridge.linkinfo?.info_data ?? {};
  return [
    ...(nf_call_iptables === 1 ? [] : ['nf_call_iptables']),
    ...(nf_call_ip6tables === 1 || !hasGlobalIPv6(bridge) ? [] : ['nf_call_ip6tables']),
  ].map((setting) => `${bridge.ifname} type bridge ${setting}`);
}

function isOurTable(table: string | undefined): boolean {
  return Number(table) > passMark && Number(table) <= passMark + numberMask;
}

function hasInSubnet({ addr_info }: Device, address: string): boolean {
  const number = parseIP(address);
  return addr_info.some(({ family, local, prefixlen }) => {
    const block = family === 'inet' ? parseCIDR(`${local}/${prefixlen}`)?.block : undefined;
    return block !== undefined && number !== undefined && contains(block, number);
  });
}

function tunnelOf({ address, mtu, flags, linkinfo, addr_info }: Device): ActualKernel['tunnel'] {
  return {
    mac: address,
    local: linkinfo?.info_data?.local ?? '',
    port: linkinfo?.info_data?.port ?? 0,
    mtu,
    isUp: flags.includes('UP'),
    addresses: addr_info
      .filter((one) => one.family === 'inet' || isGlobalIPv6(one))
      .map(({ local, prefixlen }) => `${local}/${prefixlen}`),
  };
}
