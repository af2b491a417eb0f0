import type { CommandSpec } from '../base/command.js';
import { eachInTurn } from '../base/each.js';
import { DaemonError } from '../base/errors.js';
import { onOff } from '../base/flag.js';
import { pathOf } from '../base/path.js';

const force = onOff('force', 'Do not error if the network does not exist', { short: 'f' });

/** `shoal network rm` */
export const networkRm: CommandSpec = {
  usage: 'NETWORK [NETWORK...]',
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  flags: [force],
  run: (context, values, references) =>
    eachInTurn(references, async (reference) => {
      try {
        await context.client.delete(pathOf('networks', reference));
      } catch (thrown) {
        if (values.get(force) && thrown instanceof DaemonError && thrown.status === 404) return;
        throw thrown;
      }
      context.out.write(`${reference}\n`);
    }),
};
