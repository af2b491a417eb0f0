import { type ActualKernel, carriedOut, commandsFor } from './commands.js';
import type { DesiredKernel } from './desired.js';
import type { Observed } from './observed.js';
import { sysctlsFor } from './sysctls.js';
import type { KernelTools } from './tools.js';

/**
 * Makes what was seen be as desired, and returns what is there then. With `isLook` also the settings of the tunnel and the bridges; `hasPlane`:
 * published ports are balanced in the kernel. Throws what the tools throw.
 */
export async function makeWays<T extends ActualKernel & Partial<Pick<Observed, 'bypassing'>>>(
  desired: DesiredKernel,
  seen: T,
  { isLook, hasPlane }: { isLook: boolean; hasPlane: boolean },
  tools: KernelTools,
): Promise<T> {
  const { ip, bridge } = commandsFor(desired, seen);
  const settings = (seen.bypassing ?? []).map((setting) => `link set ${setting} 1`);
  // Devices first: addresses of IPv6 need settings of theirs.
  await batch('ip', [...ip.filter(isOfDevice), ...settings], tools);
  if (isLook && desired.tunnel !== undefined) {
    for (const [path, value] of sysctlsFor(desired, hasPlane)) await tools.setSysctl(path, value);
  }
  await batch(
    'ip',
    ip.filter((line) => !isOfDevice(line)),
    tools,
  );
  await batch('bridge', bridge, tools);
  return { ...seen, ...carriedOut(desired, seen), bypassing: [] };
}

const isOfDevice = (line: string) => line.startsWith('link ');

/** Carries lines out in one process; none without any. Goes on after one that fails, and throws what the tools throw. */
export async function batch(command: 'ip' | 'bridge', lines: readonly string[], tools: KernelTools): Promise<void> {
  if (lines.length > 0) await tools.run(command, ['-force', '-batch', '-'], `${lines.join('\n')}\n`);
}
