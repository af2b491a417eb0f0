import { isIPv4 } from 'node:net';
import type { Logger } from 'winston';
import { ShoalError } from '../model/errors.js';
import type { Random } from '../model/random.js';
import { encryptionObstacle, epochHere } from '../network/kernel/encryption/probe.js';
import type { PlaneSettings } from '../network/kernel/kernel-networks.js';
import { canEndConnections, meshObstacle } from '../network/kernel/probe.js';
import { type KernelTools, systemTools } from '../network/kernel/tools.js';
import { claimKernel } from './kernel-claim.js';
import type { DaemonOptions } from './options.js';

const heldByOther =
  'another daemon carries the networks in this kernel ("ss -xlp" shows who has @shoal-kernel-networking)';

/** What changes the kernel's networking; or why this daemon may not. */
export async function kernelToolsHere(): Promise<KernelTools | { missing: string }> {
  if (process.geteuid?.() !== 0) return { missing: 'the daemon does not run as root' };
  return (await claimKernel()) ? systemTools : { missing: heldByOther };
}

/** What encrypts networks that ask for it, and the epoch of what the kernel has of it now; or why it cannot. */
export type EncryptionHere = { tools: KernelTools; epoch: number } | { obstacle: string };

/** Whether the kernel can encrypt what goes to other nodes. */
export async function encryptionHere(
  tools: KernelTools | { missing: string },
  random: Random,
  log: Logger,
): Promise<EncryptionHere> {
  const obstacle = 'missing' in tools ? tools.missing : await encryptionObstacle(tools);
  if (obstacle === undefined && !('missing' in tools)) return { tools, epoch: await epochHere(tools, random) };
  log.info('networks with --opt encrypted cannot be carried by this node', { reason: obstacle });
  return { obstacle: obstacle ?? '' };
}

/** How the kernel balances published ports; undefined: they are balanced in user space. Throws when it shall be the kernel and cannot. */
export async function kernelPlaneFor(
  { dataPlane, publishAddress }: DaemonOptions,
  tools: KernelTools | { missing: string },
  log: Logger,
): Promise<PlaneSettings | undefined> {
  if (dataPlane === 'user-space') return undefined;
  const obstacle =
    'missing' in tools
      ? tools.missing
      : publishAddress !== '' && (!isIPv4(publishAddress) || publishAddress.startsWith('127.'))
        ? `--publish-addr ${publishAddress} is no IPv4 address that packets come to from outside`
        : await meshObstacle(tools);
  if (obstacle === undefined) {
    const endsConnections = !('missing' in tools) && (await canEndConnections(tools));
    log.info('published ports are balanced in the kernel', { endsConnections });
    return { publishAddress, endsConnections };
  }
  if (dataPlane === 'kernel') {
    throw new ShoalError('failed-precondition', `--data-plane kernel: ${obstacle}. Use "auto" or "user-space"`);
  }
  log.info('published ports are balanced in user space', { reason: obstacle });
  return undefined;
}
