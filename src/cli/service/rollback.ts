import type { CommandSpec } from '../base/command.js';
import { getService, postUpdate } from './common.js';
import { followService } from './progress.js';
import { detach, quiet } from './scalar-options.js';

/** `shoal service rollback` */
export const serviceRollback: CommandSpec = {
  usage: '[OPTIONS] SERVICE',
  operands: { min: 1, max: 1 },
  flags: [detach, quiet],
  async run(context, values, [reference = '']) {
    const service = await getService(context, reference);
    await postUpdate(context, service, service.Spec ?? {}, { rollback: 'previous' });
    context.out.write(`${reference}\n`);
    if (!values.get(detach)) await followService(context, service.ID ?? reference, values.get(quiet) ?? false);
  },
};
