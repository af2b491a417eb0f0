/** Destinations of TCP as elements: of a set of addresses with ports, and of one of addresses with all their ports. */
export function lookups(destinations: ReadonlySet<string>): {
  ports: Map<string, string>;
  addresses: Map<string, string>;
} {
  const ports = new Map<string, string>();
  const addresses = new Map<string, string>();
  for (const destination of destinations) {
    const [, address, port] = /^tcp (\S+) (\d+)$/.exec(destination) ?? [];
    if (address === undefined) addresses.set(destination, '');
    else ports.set(`${address} . ${port}`, '');
  }
  return { ports, addresses };
}
