import type { CommandSpec } from '../base/command.js';
import { CliError } from '../base/errors.js';
import { filterFlag, filtersQuery } from '../base/filter.js';
import type { Task } from '../base/wire.js';
import { noResolveFlag, noTruncFlag, showTasks, taskFormatFlag, taskQuietFlag } from '../task/list.js';
import { getNode, resolveSelf } from './common.js';

/** `shoal node ps` */
export const nodePs: CommandSpec = {
  usage: '[OPTIONS] [NODE...]',
  operands: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: [filterFlag, taskFormatFlag, noResolveFlag, noTruncFlag, taskQuietFlag],
  async run(context, values, references) {
    const ids = new Set<string>();
    const missing: string[] = [];
    for (const reference of references.length === 0 ? ['self'] : references) {
      try {
        ids.add((await getNode(context, await resolveSelf(context, reference))).ID ?? '');
      } catch (thrown) {
        if (!(thrown instanceof CliError)) throw thrown;
        missing.push(thrown.message);
      }
    }
    if (ids.size > 0) {
      const pairs = [...[...ids].map((id): [string, string] => ['node', id]), ...(values.get(filterFlag) ?? [])];
      const tasks = await context.client.get<Task[]>('/tasks', { query: { filters: filtersQuery(pairs) } });
      await showTasks(context, tasks, values);
    }
    if (missing.length > 0) throw new CliError(missing.join('\n'));
  },
};
