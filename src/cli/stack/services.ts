import type { CommandSpec } from '../base/command.js';
import { filterFlag, filtersQuery } from '../base/filter.js';
import { listFormatFlag, quietFlag } from '../base/format.js';
import { showServices } from '../service/ls.js';
import { checkStackName, ofStack } from './names.js';

/** `shoal stack services` */
export const stackServices: CommandSpec = {
  usage: '[OPTIONS] STACK',
  operands: { min: 1, max: 1 },
  flags: [filterFlag, listFormatFlag, quietFlag],
  async run(context, values, [stack = '']) {
    checkStackName(stack);
    const filters = filtersQuery([ofStack(stack), ...(values.get(filterFlag) ?? [])]);
    const shown = await showServices(context, values, filters);
    if (shown === 0) context.err.write(`Nothing found in stack: ${stack}\n`);
  },
};
