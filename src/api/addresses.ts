import { isIP, isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { ShoalError } from '../model/errors.js';

/** The cluster port when an address names none. */
export const clusterPort = 2377;

/** Addresses of this host by interface. */
export type Interfaces = () => Readonly<Record<string, readonly string[]>>;

/** Those of the operating system: IPv4, and IPv6 that is not link-local. */
export const systemInterfaces: Interfaces = () =>
  Object.fromEntries(
    Object.entries(networkInterfaces()).map(([name, addresses]) => [
      name,
      (addresses ?? []).map(({ address }) => address).filter((address) => !address.startsWith('fe80:')),
    ]),
  );

/**
 * An address of this host as `swarm init` and `join` take it: an IP address or the name of an interface, with or without a
 * port. Without one it is `absentPort`; if that is undefined the result is the host alone, else `host:port`. Throws `invalid-argument`
 * that names `field`.
 */
export function hostAddress(field: string, text: string, interfaces: Interfaces, absentPort?: number): string {
  const { host, port } = split(field, text, absentPort);
  if (isIP(host) !== 0) return join(host, port);
  const addresses = interfaces()[host];
  if (addresses === undefined) {
    throw new ShoalError(
      'invalid-argument',
      `${field}: ${JSON.stringify(text)} must be an IP address or network interface (with optional port number)`,
    );
  }
  const v4 = addresses.filter(isIPv4);
  const usable = v4.length > 0 ? v4 : addresses;
  if (usable.length !== 1) {
    throw new ShoalError(
      'invalid-argument',
      usable.length === 0
        ? `${field}: interface ${host} has no usable addresses`
        : `${field}: interface ${host} has more than one address (${usable.join(', ')}); name one of them`,
    );
  }
  return join(usable[0]!, port);
}

/** An address of another host: a name or IP address, with or without a port. */
export function remoteAddress(field: string, text: string): string {
  const { host, port } = split(field, text, clusterPort);
  if (isIP(host) === 0 && !/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/.test(host)) {
    throw new ShoalError('invalid-argument', `${field}: ${JSON.stringify(text)} must be HOST or HOST:PORT`);
  }
  return join(host, port);
}

function split(field: string, given: string, absentPort?: number): { host: string; port: number | undefined } {
  const text = given.replace(/^tcp:\/\//, '');
  if (isIP(text) !== 0) return { host: text, port: absentPort };
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = match?.[3] === undefined ? absentPort : Number(match[3]);
  if (host === '' || host.length > 255 || (port !== undefined && (port < 1 || port > 65535))) {
    throw new ShoalError(
      'invalid-argument',
      `${field}: ${JSON.stringify(given.slice(0, 100))} must be an address, with an optional port from 1 to 65535`,
    );
  }
  return { host, port };
}

function join(host: string, port: number | undefined): string {
  if (port === undefined) return host;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export function isWildcard(address: string): boolean {
  return /^(0\.0\.0\.0|\[::\])(:\d+)?$|^::$/.test(address);
}
