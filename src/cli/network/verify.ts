import type { CommandSpec } from '../base/command.js';
import { CliError } from '../base/errors.js';

/** `shoal network verify`: of the node whose daemon is asked. */
export const networkVerify: CommandSpec = {
  usage: '',
  operands: { min: 0, max: 0 },
  flags: [],
  async run(context) {
    const { Revision, Differences, Delays } = await context.client.get<{
      Revision: number;
      Differences: string[];
      /** Of the last changes; milliseconds. */
      Delays: { Count: number; Median: number; Max: number };
    }>('/shoal/networks/verify');
    const { Count, Median, Max } = Delays;
    if (Count > 0) {
      const about = Count === 1 ? 'The last change was' : `The last ${Count} changes were`;
      context.out.write(`${about} in force ${Median} ms (median; at most ${Max} ms) after this node heard of them\n`);
    }
    if (Differences.length === 0) {
      context.out.write(`The kernel of this node is as the state says (revision ${Revision})\n`);
      return;
    }
    context.out.write(`${Differences.join('\n')}\n`);
    throw new CliError(`the kernel of this node differs from the state (revision ${Revision})`);
  },
};
