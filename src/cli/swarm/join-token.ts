import type { CommandSpec } from '../base/command.js';
import type { Context } from '../base/context.js';
import { CliError } from '../base/errors.js';
import { onOff } from '../base/flag.js';
import { pathOf } from '../base/path.js';
import type { Node, Swarm } from '../base/wire.js';
import type { Info } from '../system/info.js';

const quietFlag = onOff('quiet', 'Only display token', { short: 'q' });
const rotateFlag = onOff('rotate', 'Rotate join token');

type Role = 'worker' | 'manager';

/** `shoal swarm join-token` */
export const joinToken: CommandSpec = {
  usage: '[OPTIONS] (worker|manager)',
  operands: { min: 1, max: 1 },
  flags: [quietFlag, rotateFlag],
  async run(context, values, [role]) {
    if (role !== 'worker' && role !== 'manager') throw new CliError(`unknown role ${role}: use worker or manager`);
    const isQuiet = values.get(quietFlag) ?? false;
    if (values.get(rotateFlag)) {
      const { Spec, Version } = await context.client.get<Swarm>('/swarm');
      const rotate = role === 'worker' ? 'rotateWorkerToken' : 'rotateManagerToken';
      await context.client.post('/swarm/update', { query: { version: Version?.Index, [rotate]: true }, body: Spec });
      if (!isQuiet) context.out.write(`Successfully rotated ${role} join token.\n\n`);
    }
    if (isQuiet) context.out.write(`${tokenOf(await context.client.get<Swarm>('/swarm'), role)}\n`);
    else await printJoinCommand(context, role);
  },
};

function tokenOf(swarm: Swarm, role: Role): string {
  return (role === 'worker' ? swarm.JoinTokens?.Worker : swarm.JoinTokens?.Manager) ?? '';
}

/** Prints the command that adds a node of the role to this cluster. */
export async function printJoinCommand(context: Context, role: Role): Promise<void> {
  const [swarm, info] = await Promise.all([context.client.get<Swarm>('/swarm'), context.client.get<Info>('/info')]);
  const node = await context.client.get<Node>(pathOf('nodes', info.Swarm?.NodeID ?? 'self'));
  const address = node.ManagerStatus?.Addr;
  if (address === undefined) return;
  context.out.write(
    `To add a ${role} to this swarm, run the following command:\n\n    shoal swarm join --token ${tokenOf(swarm, role)} ${address}\n\n`,
  );
}
