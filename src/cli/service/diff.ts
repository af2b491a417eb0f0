import type { CommandSpec } from '../base/command.js';
import { CliError } from '../base/errors.js';
import { text } from '../base/flag.js';
import { changeLines, dryRun, dryRunFlag, summaryOf } from '../base/preview.js';
import { getService, previewUpdate } from './common.js';
import * as scalars from './scalar-options.js';
import { serviceUpdate, updateOf } from './update.js';

const formatFlag = text('format', 'Format of the output ("text", "json")', { shown: '"text"' });
const ofUpdateOnly: readonly string[] = [dryRunFlag.name, scalars.detach.name, scalars.quiet.name];

/** `shoal service diff`: what of a service's spec an update would change, and how many tasks it would touch. */
export const serviceDiff: CommandSpec = {
  usage: '[OPTIONS] SERVICE',
  operands: { min: 1, max: 1 },
  flags: [...serviceUpdate.flags.filter(({ name }) => !ofUpdateOnly.includes(name)), formatFlag],
  async run(context, values, [reference = '']) {
    const form = values.get(formatFlag) ?? 'text';
    if (form !== 'text' && form !== 'json')
      throw new CliError(`invalid format ${JSON.stringify(form)}: use text, json`);
    const service = await getService(context, reference);
    const { spec, query } = await updateOf(context, values, service, [formatFlag.name]);
    const preview = await previewUpdate(context, service, spec, { ...query, ...dryRun });
    const changes = preview.Changes ?? [];
    if (form === 'json') context.out.write(`${JSON.stringify(changes, undefined, 4)}\n`);
    else if (changes.length === 0) context.out.write('The spec would stay as it is.\n');
    else context.out.write(`${changeLines(changes)}${summaryOf(preview)}\n`);
  },
};
