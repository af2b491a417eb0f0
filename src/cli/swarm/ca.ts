import type { CommandSpec } from '../base/command.js';
import { CliError } from '../base/errors.js';
import { onOff, type Values } from '../base/flag.js';
import type { Swarm } from '../base/wire.js';
import { externalCaFlag } from './external-ca.js';
import { certExpiryFlag, mergeSpec } from './flags.js';
import { certificateFlag, keyFlag, ownRootIn } from './own-root.js';
import { followRotation } from './rotation-progress.js';

const rotateFlag = onOff(
  'rotate',
  'Rotate the swarm CA - if no certificate or key are provided, new ones will be generated',
);
const detachFlag = onOff('detach', 'Exit immediately instead of waiting for the root rotation to converge', {
  short: 'd',
});
const quietFlag = onOff('quiet', 'Suppress progress output', { short: 'q' });

/** `shoal swarm ca` */
export const swarmCa: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: [certificateFlag, keyFlag, rotateFlag, detachFlag, quietFlag, certExpiryFlag, externalCaFlag],
  async run(context, values) {
    const swarm = await context.client.get<Swarm>('/swarm');
    if (!values.get(rotateFlag)) {
      for (const each of [certificateFlag, keyFlag, certExpiryFlag, externalCaFlag]) {
        if (values.has(each))
          throw new CliError(`\`--${each.name}\` flag requires the \`--rotate\` flag to update the CA`);
      }
      context.out.write(rootOf(swarm));
      return;
    }
    const root = await ownRootIn(context, values);
    checkComplete(values);
    const spec = await mergeSpec(context, swarm.Spec ?? {}, values, root.SigningCACert);
    await context.client.post('/swarm/update', {
      query: { version: swarm.Version?.Index },
      body: {
        ...spec,
        CAConfig: {
          ...spec.CAConfig,
          ...root,
          // A number that changes is what asks for a new root when none is given.
          ForceRotate: (spec.CAConfig?.ForceRotate ?? 0) + (values.has(certificateFlag) || values.has(keyFlag) ? 0 : 1),
        },
      },
    });
    if (values.get(detachFlag)) return;
    const now = await followRotation(context, values.get(quietFlag) === true);
    if (now !== undefined && !values.get(quietFlag)) context.out.write(rootOf(now));
  },
};

/** What only together makes a root: refused in Docker's words. */
function checkComplete(values: Values): void {
  if (values.has(externalCaFlag) && !values.has(certificateFlag)) {
    throw new CliError(
      "rotating to an external CA requires the `--ca-cert` flag to specify the external CA's cert - to add an external CA with the current root CA certificate, use the `update` command instead",
    );
  }
  if (values.has(certificateFlag) && !values.has(keyFlag) && !values.has(externalCaFlag)) {
    throw new CliError(
      'the --ca-cert flag requires that a --ca-key flag and/or --external-ca flag be provided as well',
    );
  }
}

function rootOf(swarm: Swarm): string {
  const root = swarm.TLSInfo?.TrustRoot ?? '';
  if (root === '') throw new CliError('No CA information available');
  return root.endsWith('\n') ? root : `${root}\n`;
}
