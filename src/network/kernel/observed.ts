import { contains, parseAddress, parseCIDR } from '../../model/ipv4.js';
import { type ActualKernel, nothing } from './commands.js';
import { encryptedTunnel, numberMask, passMark, plainTunnel, returnPriority } from './names.js';
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
    info_data?: { local?: string; port?: number; nf_call_iptables?: number };
    info_slave_kind?: string;
    info_slave_data?: { hairpin?: boolean };
  };
  addr_info: { family: string; local: string; prefixlen: number }[];
}

/** What is there: of the tunnel, of our bridges, and of the machine's own network. */
export interface Observed extends ActualKernel {
  /** The same of the tunnel of encrypted networks. */
  encrypted: ActualKernel;
  /** Bridges named as ours are. */
  bridges: readonly string[];
  /** Those of them whose packets do not pass our rules. */
  bypassing: readonly string[];
  /** MTU of the device that has the address; undefined when none has. */
  mtuOf(address: string): number | undefined;
  /** The bridge, not one of ours, in whose subnet the address is; undefined when it is in none. */
  foreignBridgeOf(address: string): string | undefined;
}

/** Looks at the kernel. Throws what the tools throw. */
export async function observe(tools: KernelTools): Promise<Observed> {
  const devices = parse<Device>(await tools.run('ip', ['-j', '-d', 'addr', 'show']));
  const [tunnel, encrypted] = [plainTunnel, encryptedTunnel].map(({ device }) =>
    devices.find(({ ifname }) => ifname === device),
  );
  const bridges = devices.filter(isOurBridge).map(({ ifname }) => ifname);
  const foreign = devices.filter((device) => device.linkinfo?.info_kind === 'bridge' && !isOurBridge(device));
  const [plain, rules, encryptedWays] = await Promise.all([
    observeTunnel(tunnel, tools),
    tools.run('ip', ['-j', '-4', 'rule', 'show']),
    observeTunnel(encrypted, tools),
  ]);
  return {
    ...plain,
    encrypted: { ...nothing, ...encryptedWays },
    bridges,
    bypassing: devices
      .filter((device) => isOurBridge(device) && device.linkinfo?.info_data?.nf_call_iptables !== 1)
      .map(({ ifname }) => ifname),
    returnRules: new Set(
      parse<{ priority: number; table?: string }>(rules)
        .filter(({ priority, table }) => priority === returnPriority && isOurTable(table))
        .map(({ table }) => Number(table)),
    ),
    oneWayPorts: devices
      .filter(({ master = '', linkinfo }) => bridges.includes(master) && linkinfo?.info_slave_data?.hairpin === false)
      .map(({ ifname }) => ifname),
    mtuOf: (address) => devices.find(({ addr_info }) => addr_info.some(({ local }) => local === address))?.mtu,
    foreignBridgeOf: (address) => foreign.find((device) => hasInSubnet(device, address))?.ifname,
  };
}

/** What there is of a tunnel; undefined: there is no such device. */
async function observeTunnel(
  device: Device | undefined,
  tools: KernelTools,
): Promise<Pick<ActualKernel, 'tunnel' | 'routes' | 'returns' | 'neighbours' | 'forwarding'>> {
  if (device === undefined) return nothing;
  const { ifname } = device;
  const [routes, neighbours, forwarding] = await Promise.all([
    tools.run('ip', ['-j', '-4', 'route', 'show', 'table', 'all', 'dev', ifname]),
    tools.run('ip', ['-j', '-4', 'neigh', 'show', 'dev', ifname, 'nud', 'permanent']),
    tools.run('bridge', ['-j', 'fdb', 'show', 'dev', ifname]),
  ]);
  const allRoutes = parse<{ dst: string; gateway?: string; table?: string }>(routes);
  return {
    tunnel: tunnelOf(device),
    routes: new Map(
      allRoutes.filter(({ table }) => table === undefined).map(({ dst, gateway }) => [dst, gateway ?? '']),
    ),
    returns: new Map(
      allRoutes.filter(({ table }) => isOurTable(table)).map(({ gateway, table }) => [Number(table), gateway ?? '']),
    ),
    neighbours: new Map(parse<{ dst: string; lladdr?: string }>(neighbours).map((one) => [one.dst, one.lladdr ?? ''])),
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

function isOurBridge({ ifname, linkinfo }: Device): boolean {
  return /^shl\d+$/.test(ifname) && linkinfo?.info_kind === 'bridge';
}

function isOurTable(table: string | undefined): boolean {
  return Number(table) > passMark && Number(table) <= passMark + numberMask;
}

function hasInSubnet({ addr_info }: Device, address: string): boolean {
  const number = parseAddress(address);
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
      .filter(({ family }) => family === 'inet')
      .map(({ local, prefixlen }) => `${local}/${prefixlen}`),
  };
}
