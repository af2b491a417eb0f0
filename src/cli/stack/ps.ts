import type { CommandSpec } from '../base/command.js';
import { CliError } from '../base/errors.js';
import { filterFlag, filtersQuery } from '../base/filter.js';
import { listFormatFlag } from '../base/format.js';
import type { Task } from '../base/wire.js';
import { noResolveFlag, noTruncFlag, showTasks, taskQuietFlag } from '../task/list.js';
import { checkStackName, ofStack } from './names.js';

/** `shoal stack ps` */
export const stackPs: CommandSpec = {
  usage: '[OPTIONS] STACK',
  operands: { min: 1, max: 1 },
  flags: [filterFlag, listFormatFlag, noResolveFlag, noTruncFlag, taskQuietFlag],
  async run(context, values, [stack = '']) {
    checkStackName(stack);
    const filters = filtersQuery([ofStack(stack), ...(values.get(filterFlag) ?? [])]);
    const tasks = await context.client.get<Task[]>('/tasks', { query: { filters } });
    if (tasks.length === 0) throw new CliError(`nothing found in stack: ${stack}`);
    await showTasks(context, tasks, values);
  },
};
