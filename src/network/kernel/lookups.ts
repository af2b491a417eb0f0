import { type Family, isOfIPv6 } from '../../model/ip.js';

/** Destinations of TCP in one family as elements: of a set of addresses with ports, and of one of addresses with all their ports. */
export function lookups(
  destinations: ReadonlySet<string>,
  family: Family,
): {
  ports: Map<string, string>;
  addresses: Map<string, string>;
} {
  const ports = new Map<string, string>();
  const addresses = new Map<string, string>();
  for (const destination of destinations) {
    if (isOfIPv6(destination) !== (family === 6)) continue;
    const [, address, port] = /^tcp (\S+) (\d+)$/.exec(destination) ?? [];
    if (address === undefined) addresses.set(destination, '');
    else ports.set(`${address} . ${port}`, '');
  }
  return { ports, addresses };
}
