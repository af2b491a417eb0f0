import { tunnelDevice } from './names.js';

/** Paths below /proc/sys and their values: for the tunnel and for each bridge of ours. */
export function* sysctlsFor(bridges: readonly string[]): Iterable<[path: string, value: string]> {
  yield ['net/ipv4/ip_forward', '1'];
  const common: [string, string][] = [
    ['rp_filter', '2'], // packets come by the tunnel whose way back is another: loose
    ['send_redirects', '0'],
    ['route_localnet', '1'], // a published address asked for at 127.0.0.1
  ];
  for (const device of [tunnelDevice, ...bridges]) {
    for (const [name, value] of common) yield [`net/ipv4/conf/${device}/${name}`, value];
  }
  yield [`net/ipv6/conf/${tunnelDevice}/disable_ipv6`, '1'];
  for (const bridge of bridges) {
    yield [`net/ipv4/conf/${bridge}/proxy_arp`, '1']; // for addresses on other nodes, and virtual ones
    yield [`net/ipv4/neigh/${bridge}/proxy_delay`, '0']; // the default cost 140 to 480 ms on a first packet
  }
}
