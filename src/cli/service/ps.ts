import type { CommandSpec } from '../base/command.js';
import type { Context } from '../base/context.js';
import { CliError } from '../base/errors.js';
import { filterFlag, filtersQuery } from '../base/filter.js';
import type { Service, Task } from '../base/wire.js';
import { resolveSelf } from '../node/common.js';
import { noResolveFlag, noTruncFlag, showTasks, taskFormatFlag, taskQuietFlag } from '../task/list.js';

/** `shoal service ps` */
export const servicePs: CommandSpec = {
  usage: '[OPTIONS] SERVICE [SERVICE...]',
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  flags: [filterFlag, taskFormatFlag, noResolveFlag, noTruncFlag, taskQuietFlag],
  async run(context, values, references) {
    const { ids, missing } = await findServices(context, references);
    if (ids.length === 0) throw new CliError(missing.join('\n'));
    const pairs: [string, string][] = ids.map((id) => ['service', id]);
    for (const [key, value] of values.get(filterFlag) ?? []) {
      pairs.push([key, key === 'node' ? await resolveSelf(context, value) : value]);
    }
    const tasks = await context.client.get<Task[]>('/tasks', { query: { filters: filtersQuery(pairs) } });
    await showTasks(context, tasks, values);
    if (missing.length > 0) throw new CliError(missing.join('\n'));
  },
};

/** The services meant: by id, else by name, else by the start of an id that only one has. */
async function findServices(
  context: Context,
  references: readonly string[],
): Promise<{ ids: string[]; missing: string[] }> {
  const named = (key: string) => filtersQuery(references.map((reference) => [key, reference]));
  const [byID, byName] = await Promise.all([
    context.client.get<Service[]>('/services', { query: { filters: named('id') } }),
    context.client.get<Service[]>('/services', { query: { filters: named('name') } }),
  ]);
  const ids: string[] = [];
  const missing: string[] = [];
  for (const reference of references) {
    const found =
      byID.find(({ ID }) => ID === reference) ??
      byName.find(({ Spec }) => Spec?.Name === reference) ??
      onlyOne(byID, reference);
    if (found === undefined) missing.push(`no such service: ${reference}`);
    else if (!ids.includes(found.ID ?? '')) ids.push(found.ID ?? '');
  }
  return { ids, missing };
}

function onlyOne(services: readonly Service[], start: string): Service | undefined {
  const found = services.filter(({ ID }) => start !== '' && ID?.startsWith(start));
  if (found.length > 1) throw new CliError(`multiple services found with provided prefix: ${start}`);
  return found[0];
}
