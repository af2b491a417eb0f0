import type { CommandSpec } from '../base/command.js';
import { dryRunFlag, showPreview } from '../base/preview.js';
import { getService, postUpdate, previewUpdate } from './common.js';
import { followService } from './progress.js';
import { detach, quiet } from './scalar-options.js';

/** `shoal service rollback` */
export const serviceRollback: CommandSpec = {
  usage: '[OPTIONS] SERVICE',
  operands: { min: 1, max: 1 },
  flags: [detach, quiet, dryRunFlag],
  async run(context, values, [reference = '']) {
    const service = await getService(context, reference);
    const dry = values.get(dryRunFlag);
    if (dry !== undefined) {
      const preview = await previewUpdate(context, service, service.Spec ?? {}, { rollback: 'previous' });
      return showPreview(context, preview, dry);
    }
    await postUpdate(context, service, service.Spec ?? {}, { rollback: 'previous' });
    context.out.write(`${reference}\n`);
    if (!values.get(detach)) await followService(context, service.ID ?? reference, values.get(quiet) ?? false);
  },
};
