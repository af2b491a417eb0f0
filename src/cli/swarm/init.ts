import type { CommandSpec } from '../base/command.js';
import { CliError } from '../base/errors.js';
import { flag, list, onOff } from '../base/flag.js';
import { parseInteger } from '../base/units.js';
import { externalCaFlag } from './external-ca.js';
import {
  advertiseFlag,
  autolockFlag,
  availabilityFlag,
  checkAvailability,
  dataPathFlag,
  defaultListenAddress,
  listenFlag,
  mergeSpec,
  specFlags,
  withPort,
} from './flags.js';
import { printJoinCommand } from './join-token.js';
import { certificateFlag, keyFlag, ownRootIn } from './own-root.js';
import { printUnlockKey } from './unlock.js';

const forceFlag = onOff('force-new-cluster', 'Force create a new cluster from current state');
const dataPathPortFlag = flag(
  'data-path-port',
  'uint32',
  'Port number to use for data path traffic (1024 - 49151). If no value is set or is set to 0, the default port (4789) is used.',
  (word) => parseInteger(word, 0, 65535),
);
const poolFlag = list(
  'default-addr-pool',
  'default address pool in CIDR format',
  (word) => {
    if (!/^[0-9a-fA-F.:]+\/\d{1,3}$/.test(word)) throw new Error(`invalid CIDR address: ${word}`);
    return word;
  },
  { kind: 'ipNetSlice', shown: '[]' },
);
const defaultSubnetSize = 24;
const maskFlag = flag(
  'default-addr-pool-mask-length',
  'uint32',
  'default address pool subnet mask length',
  (word) => parseInteger(word, 0, 2 ** 32 - 1),
  { shown: String(defaultSubnetSize) },
);

/** `shoal swarm init` */
export const swarmInit: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: [
    listenFlag,
    advertiseFlag,
    dataPathFlag,
    dataPathPortFlag,
    forceFlag,
    availabilityFlag,
    poolFlag,
    maskFlag,
    { ...certificateFlag, isOwn: true },
    { ...keyFlag, isOwn: true },
    ...specFlags.map((each) =>
      each === autolockFlag
        ? { ...each, usage: 'Enable manager autolocking (requiring an unlock key to start a stopped manager)' }
        : each,
    ),
  ],
  async run(context, values) {
    const availability = values.get(availabilityFlag);
    const locks = values.get(autolockFlag) ?? false;
    const root = await ownRootIn(context, values);
    const spec = await mergeSpec(context, { Labels: {} }, values, root.SigningCACert);
    const hasOwnRoot = root.SigningCACert !== '' || root.SigningCAKey !== '';
    const id = await context.client
      .post<string>('/swarm/init', {
        body: {
          ListenAddr: withPort(values.get(listenFlag) ?? defaultListenAddress),
          AdvertiseAddr: values.get(advertiseFlag) ?? '',
          DataPathAddr: values.get(dataPathFlag) ?? '',
          DataPathPort: values.get(dataPathPortFlag) ?? 0,
          DefaultAddrPool: values.get(poolFlag) ?? [],
          SubnetSize: values.get(maskFlag) ?? defaultSubnetSize,
          ForceNewCluster: values.get(forceFlag) ?? false,
          AutoLockManagers: locks,
          Spec: hasOwnRoot ? { ...spec, CAConfig: { ...spec.CAConfig, ...root } } : spec,
          Availability: availability === undefined ? '' : checkAvailability(availability),
        },
      })
      .catch((thrown: unknown) => {
        const message = thrown instanceof Error ? thrown.message : '';
        if (!/could not (choose|find) (an )?.*address/i.test(message) || message.includes('--advertise-addr'))
          throw thrown;
        throw new CliError(`${message} - specify one with --advertise-addr`);
      });
    context.out.write(`Swarm initialized: current node (${id}) is now a manager.\n\n`);
    await printJoinCommand(context, 'worker');
    context.out.write(
      "To add a manager to this swarm, run 'shoal swarm join-token manager' and follow the instructions.\n",
    );
    if (values.has(externalCaFlag) && !hasOwnRoot) {
      context.err.write(
        "\nThe swarm has made a root CA of its own. To have the external CA sign certificates, give the swarm that CA's root:\n" +
          '\n    shoal swarm ca --rotate --ca-cert FILE --external-ca protocol=cfssl,url=URL\n',
      );
    }
    if (locks) {
      context.out.write('\n');
      const { UnlockKey } = await context.client.get<{ UnlockKey?: string }>('/swarm/unlockkey');
      printUnlockKey(context, UnlockKey ?? '');
    }
  },
};
