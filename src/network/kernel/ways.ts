import type { Network } from '../../model/types.js';
import { type ActualKernel, carriedOut, commandsFor } from './commands.js';
import type { DesiredKernel } from './desired.js';
import { bridgeOf } from './names.js';
import type { Observed } from './observed.js';
import { sysctlsFor } from './sysctls.js';
import type { KernelTools } from './tools.js';

/** Makes what was seen be as desired, and returns what is there then. Throws what the tools throw. */
export async function makeWays<T extends ActualKernel & Partial<Pick<Observed, 'bypassing'>>>(
  desired: DesiredKernel,
  seen: T,
  tools: KernelTools,
): Promise<T> {
  const { ip, bridge } = commandsFor(desired, seen);
  for (const name of seen.bypassing ?? []) ip.push(`link set ${name} type bridge nf_call_iptables 1`);
  if (ip.length > 0) await tools.run('ip', ['-force', '-batch', '-'], `${ip.join('\n')}\n`);
  if (bridge.length > 0) await tools.run('bridge', ['-force', '-batch', '-'], `${bridge.join('\n')}\n`);
  return { ...seen, ...carriedOut(desired, seen), bypassing: [] };
}

/** What is set on a tunnel, that of networks that are not encrypted unless it is named, and on the bridges of these networks. Throws what the tools throw. */
export async function makeSettings(
  carried: readonly Network[],
  hasPlane: boolean,
  tools: KernelTools,
  tunnel?: string,
): Promise<void> {
  const bridges = carried.map((network) => bridgeOf(network.Number));
  for (const [path, value] of sysctlsFor(bridges, hasPlane, tunnel)) await tools.setSysctl(path, value);
}
