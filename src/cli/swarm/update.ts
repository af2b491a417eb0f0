import type { CommandSpec } from '../base/command.js';
import type { Swarm } from '../base/wire.js';
import { autolockFlag, mergeSpec, specFlags } from './flags.js';
import { printUnlockKey } from './unlock.js';

/** `shoal swarm update` */
export const swarmUpdate: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: specFlags,
  needsFlag: true,
  async run(context, values) {
    const { Spec = {}, Version, TLSInfo } = await context.client.get<Swarm>('/swarm');
    const body = await mergeSpec(context, Spec, values, TLSInfo?.TrustRoot ?? '');
    await context.client.post('/swarm/update', { query: { version: Version?.Index }, body });
    context.out.write('Swarm updated.\n');
    if (values.get(autolockFlag) && !Spec.EncryptionConfig?.AutoLockManagers) {
      const { UnlockKey } = await context.client.get<{ UnlockKey?: string }>('/swarm/unlockkey');
      printUnlockKey(context, UnlockKey ?? '');
    }
  },
};
