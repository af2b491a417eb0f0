import type { CommandSpec } from '../base/command.js';
import { eachInTurn } from '../base/each.js';
import { onOff } from '../base/flag.js';
import { pathOf } from '../base/path.js';

const forceFlag = onOff('force', 'Force remove a node from the swarm', { short: 'f' });

/** `shoal node rm` */
export const nodeRm: CommandSpec = {
  usage: '[OPTIONS] NODE [NODE...]',
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  flags: [forceFlag],
  async run(context, values, references) {
    await eachInTurn(references, async (reference) => {
      const query = { force: values.get(forceFlag) || undefined };
      await context.client.delete(pathOf('nodes', reference), { query });
      context.out.write(`${reference}\n`);
    });
  },
};
