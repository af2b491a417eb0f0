import type { CommandSpec } from '../base/command.js';
import { CliError } from '../base/errors.js';
import { onOff, text } from '../base/flag.js';
import type { Swarm } from '../base/wire.js';
import { certExpiryFlag, externalCaFlag, mergeSpec } from './flags.js';
import { followRotation } from './rotation-progress.js';

const certificateFlag = text('ca-cert', 'Path to the PEM-formatted root CA certificate to use for the new cluster', {
  kind: 'pem-file',
});
const keyFlag = text('ca-key', 'Path to the PEM-formatted root CA key to use for the new cluster', {
  kind: 'pem-file',
});
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
    const read = async (path: string | undefined) =>
      path === undefined ? '' : (await context.readFile(path)).toString();
    const spec = mergeSpec(swarm.Spec ?? {}, values);
    const certificate = await read(values.get(certificateFlag));
    await context.client.post('/swarm/update', {
      query: { version: swarm.Version?.Index },
      body: {
        ...spec,
        CAConfig: {
          ...spec.CAConfig,
          SigningCACert: certificate,
          SigningCAKey: await read(values.get(keyFlag)),
          // A number that changes is what asks for a new root when none is given.
          ForceRotate: (spec.CAConfig?.ForceRotate ?? 0) + (certificate === '' ? 1 : 0),
        },
      },
    });
    if (values.get(detachFlag)) return;
    const now = await followRotation(context, values.get(quietFlag) === true);
    if (now !== undefined && !values.get(quietFlag)) context.out.write(rootOf(now));
  },
};

function rootOf(swarm: Swarm): string {
  const root = swarm.TLSInfo?.TrustRoot ?? '';
  if (root === '') throw new CliError('No CA information available');
  return root.endsWith('\n') ? root : `${root}\n`;
}
