import { isIP, isIPv4 } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';
import { ShoalError } from '../model/errors.js';

export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

export interface HostPort {
  host: string;
  port: number;
}

export const defaultPort = 2377;
/** What Docker's command line sends when the user says nothing; then the daemon's own setting counts. */
const unsaid = ['', `0.0.0.0:${defaultPort}`];

// The refusals below are Docker's (moby daemon/cluster/listen_addr.go).
const badListen = 'listen address must be an IP address or network interface (with optional port number) (ListenAddr)';
const badAdvertise =
  'advertise address must be a non-zero IP address or network interface (with optional port number) (AdvertiseAddr)';
const badDataPath = 'must specify a valid IP address or interface name (DataPathAddr)';
const advice = ' - specify one with --advertise-addr';

const bad = (message: string) => new ShoalError('invalid-argument', message);

/** `host:port`, with brackets around an IPv6 address. */
export function joinHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Takes `host`, `host:port`, `[v6]`, `[v6]:port` or a plain IPv6 address apart. Throws `invalid-argument` saying `complaint`. */
export function splitHostPort(text: string, port: number, complaint: string): HostPort {
  if (isIP(text)) return { host: text, port };
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const given = parts?.[3] === undefined ? port : Number(parts[3]);
  if (parts === null || given > 65_535) throw bad(complaint);
  return { host: parts[1] ?? parts[2]!, port: given };
}

/** Port 0 would be any that is free, and another after each start: others could not find it. */
function checkPort(port: number, field: string): void {
  if (port === 0) throw bad(`the port must be from 1 to 65535 (${field})`);
}

function isUnspecified(host: string): boolean {
  return host === '0.0.0.0' || /^[0:]+$/.test(host);
}

/** The one address of a network interface, IPv4 before IPv6. */
function addressOfInterface(name: string, interfaces: Interfaces): string | undefined {
  const addresses = interfaces[name];
  if (addresses === undefined) return undefined;
  for (const family of ['IPv4', 'IPv6'] as const) {
    const found = addresses.filter((address) => address.family === family && !isLinkLocal(address));
    if (found.length > 1) {
      throw bad(
        `interface ${name} has more than one ${family} address (${found[0]!.address} and ${found[1]!.address})`,
      );
    }
    if (found.length === 1) return found[0]!.address;
  }
  throw bad(`interface ${name} has no usable IPv4 or IPv6 address`);
}

function isLinkLocal({ family, address }: NetworkInterfaceInfo): boolean {
  return family === 'IPv6' && /^fe[89ab]/i.test(address);
}

/** Interfaces that containers made: their addresses are of no use to other machines. */
function isOfContainers(name: string): boolean {
  return /^(docker|br-|veth|virbr|cni|flannel|shl|shv|tun|wg)/.test(name);
}

/** The machine's one address, or a refusal in Docker's words when it has none or several. */
function systemAddress(interfaces: Interfaces): string {
  for (const family of ['IPv4', 'IPv6'] as const) {
    const found = Object.entries(interfaces).flatMap(([name, addresses]) =>
      isOfContainers(name)
        ? []
        : (addresses ?? [])
            .filter((address) => !address.internal && address.family === family && !isLinkLocal(address))
            .map(({ address }) => ({ name, address })),
    );
    const [one, two] = found;
    if (one !== undefined && two !== undefined) {
      const where =
        one.name === two.name
          ? `interface ${one.name} (${one.address} and ${two.address})`
          : `different interfaces (${one.address} on ${one.name} and ${two.address} on ${two.name})`;
      throw bad(
        `could not choose an IP address to advertise since this system has multiple addresses on ${where}${advice}`,
      );
    }
    if (one !== undefined) return one.address;
  }
  throw bad(`could not find the system's IP address${advice}`);
}

/** Where the cluster port listens: what was asked for, else the daemon's own setting. Takes an interface's name for its address. */
export function listenAddress(asked: string, setting: string, interfaces: Interfaces): HostPort {
  const { host, port } = splitHostPort(unsaid.includes(asked) ? setting : asked, defaultPort, badListen);
  const address = isIP(host) ? host : addressOfInterface(host, interfaces);
  if (address === undefined) throw bad(badListen);
  checkPort(port, 'ListenAddr');
  return { host: address, port };
}

/**
 * The address that other nodes are told: what was asked for, else the daemon's setting, else the listen address when it is one
 * of the machine's, else `seen` (the address by which we reached the cluster, when joining), else the machine's only address.
 */
export function advertiseAddress(
  asked: string,
  setting: string,
  listen: HostPort,
  interfaces: Interfaces,
  seen?: string,
): HostPort {
  const said = asked || setting;
  if (said !== '') {
    const { host, port } = splitHostPort(said, listen.port, badAdvertise);
    const address = isIP(host) ? host : addressOfInterface(host, interfaces);
    if (address === undefined || isUnspecified(address)) throw bad(badAdvertise);
    checkPort(port, 'AdvertiseAddr');
    return { host: address, port };
  }
  if (!isUnspecified(listen.host)) return listen;
  return { host: seen ?? systemAddress(interfaces), port: listen.port };
}

/** Addresses of managers to join, as `host`, `host:port` or `tcp://host:port`. Throws `invalid-argument` that names the one that is none. */
export function remoteAddresses(asked: readonly string[]): HostPort[] {
  return asked.map((text, at) => {
    const complaint = `RemoteAddrs[${at}]: must be HOST or HOST:PORT`;
    const remote = splitHostPort(text.replace(/^tcp:\/\//, ''), defaultPort, complaint);
    const isName = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/.test(remote.host);
    if (remote.port === 0 || (isIP(remote.host) === 0 && !isName)) throw bad(complaint);
    return remote;
  });
}

/** The IPv4 address for traffic between containers; '' when none was asked for. Throws `not-supported` for an IPv6 address. */
export function dataPathAddress(asked: string, interfaces: Interfaces): string {
  if (asked === '') return '';
  const address = isIP(asked) ? asked : addressOfInterface(asked, interfaces);
  if (address === undefined || isUnspecified(address)) throw bad(badDataPath);
  if (!isIPv4(address)) {
    throw new ShoalError('not-supported', `networks of the cluster go over IPv4: ${address} is none (DataPathAddr)`);
  }
  return address;
}

/** IPv4 addresses that came over an IPv6 socket, in their plain form. */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(.+)$/i.exec(address)?.[1];
  return mapped !== undefined && isIPv4(mapped) ? mapped : address;
}
