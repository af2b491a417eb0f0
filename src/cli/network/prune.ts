import { createInterface } from 'node:readline/promises';
import type { CommandSpec } from '../base/command.js';
import type { Context } from '../base/context.js';
import { filterFlag, filtersQuery } from '../base/filter.js';
import { onOff } from '../base/flag.js';

const force = onOff('force', 'Do not prompt for confirmation', { short: 'f' });

/** `shoal network prune` */
export const networkPrune: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: [{ ...filterFlag, short: undefined, usage: 'Provide filter values (e.g. "until=<timestamp>")' }, force],
  async run(context, values) {
    if (!values.get(force) && !(await isConfirmed(context))) return;
    const filters = filtersQuery(values.get(filterFlag) ?? []);
    const { NetworksDeleted } = await context.client.post<{ NetworksDeleted: string[] | null }>('/networks/prune', {
      query: { filters },
    });
    if (NetworksDeleted?.length) context.out.write(`Deleted Networks:\n${NetworksDeleted.join('\n')}\n\n`);
  },
};

async function isConfirmed(context: Context): Promise<boolean> {
  context.out.write('WARNING! This will remove all custom networks not used by at least one container.\n');
  context.out.write('Are you sure you want to continue? [y/N] ');
  for await (const line of createInterface({ input: context.input })) return line.trim().toLowerCase() === 'y';
  return false;
}
