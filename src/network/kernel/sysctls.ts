import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, ShoalError } from '../../model/errors.js';
import type { DesiredKernel } from './desired.js';

type SetKernel = Pick<DesiredKernel, 'via' | 'tunnel' | 'bridges' | 'bridges6'>;

/** Paths below /proc/sys and their values: for a tunnel and for each bridge of ours. `hasPlane`: published ports are balanced in the kernel. */
export function* sysctlsFor(
  { via: { device: tunnelDevice }, tunnel, bridges, bridges6 }: SetKernel,
  hasPlane: boolean,
): Iterable<[path: string, value: string]> {
  yield ['net/ipv4/ip_forward', '1'];
  // Who spoke last on a connection to a task that leaves (retiring.ts).
  if (hasPlane) yield ['net/netfilter/nf_conntrack_acct', '1'];
  const common: [string, string][] = [
    ['rp_filter', '2'], // packets come by the tunnel whose way back is another: loose
    ['send_redirects', '0'],
    ['route_localnet', '0'], // with 1 a container could reach what the node has at 127.0.0.1 alone (CVE-2020-8558)
  ];
  for (const device of [tunnelDevice, ...bridges]) {
    for (const [name, value] of common) yield [`net/ipv4/conf/${device}/${name}`, value];
  }
  yield* sysctlsOfIPv6(tunnelDevice, (tunnel?.address6 ?? '') !== '', bridges6);
  for (const bridge of bridges) {
    yield [`net/ipv4/conf/${bridge}/proxy_arp`, '1']; // for addresses on other nodes, and virtual ones
    yield [`net/ipv4/neigh/${bridge}/proxy_delay`, '0']; // the default cost 140 to 480 ms on a first packet
  }
}

function* sysctlsOfIPv6(
  tunnel: string,
  isOnTunnel: boolean,
  bridges: readonly string[],
): Iterable<[path: string, value: string]> {
  yield [`net/ipv6/conf/${tunnel}/disable_ipv6`, isOnTunnel ? '0' : '1'];
  if (bridges.length > 0) yield ['net/ipv6/conf/all/forwarding', '1'];
  for (const device of isOnTunnel ? [tunnel, ...bridges] : bridges) {
    yield [`net/ipv6/conf/${device}/disable_ipv6`, '0'];
    yield [`net/ipv6/conf/${device}/forwarding`, '1'];
    yield [`net/ipv6/conf/${device}/accept_ra`, '0']; // a container is no router of ours
    yield [`net/ipv6/conf/${device}/accept_redirects`, '0'];
  }
  for (const bridge of bridges) {
    yield [`net/ipv6/conf/${bridge}/proxy_ndp`, '1']; // for addresses on other nodes, and virtual ones
    yield [`net/ipv6/neigh/${bridge}/proxy_delay`, '0'];
  }
}

/**
 * Sets a value below `root`, which is /proc/sys, unless it is that already. A kernel without IPv6 has nothing below net/ipv6, and
 * nothing there to be turned off. Throws `unavailable`.
 */
export async function writeSysctl(root: string, path: string, value: string): Promise<void> {
  const file = join(root, path);
  try {
    if ((await readFile(file, 'utf8')).trim() !== value) await writeFile(file, value);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && path.startsWith('net/ipv6/')) return;
    throw new ShoalError('unavailable', messageOf(error));
  }
}

/** A value below `root`; undefined of what is not there. */
export function readSysctl(root: string, path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8').trim();
  } catch {
    return undefined;
  }
}
