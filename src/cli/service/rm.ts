import type { CommandSpec } from '../base/command.js';
import { eachInTurn } from '../base/each.js';
import { pathOf } from '../base/path.js';
import { dryRun, dryRunFlag, showPreview } from '../base/preview.js';
import type { Preview } from '../base/wire.js';

/** `shoal service rm` */
export const serviceRm: CommandSpec = {
  usage: 'SERVICE [SERVICE...]',
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  flags: [dryRunFlag],
  async run(context, values, references) {
    const dry = values.get(dryRunFlag);
    await eachInTurn(references, async (reference) => {
      if (dry !== undefined) {
        const preview = await context.client.delete<Preview>(pathOf('services', reference), { query: dryRun });
        return showPreview(context, preview, dry);
      }
      await context.client.delete(pathOf('services', reference));
      context.out.write(`${reference}\n`);
    });
  },
};
