import type { CommandSpec } from '../base/command.js';
import { eachInTurn } from '../base/each.js';
import { pathOf } from '../base/path.js';

/** `shoal service rm` */
export const serviceRm: CommandSpec = {
  usage: 'SERVICE [SERVICE...]',
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  flags: [],
  async run(context, _values, references) {
    await eachInTurn(references, async (reference) => {
      await context.client.delete(pathOf('services', reference));
      context.out.write(`${reference}\n`);
    });
  },
};
