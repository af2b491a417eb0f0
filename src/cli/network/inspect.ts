import type { CommandSpec } from '../base/command.js';
import { onOff } from '../base/flag.js';
import { inspectAll, inspectFormatFlag } from '../base/inspect.js';
import { pathOf } from '../base/path.js';
import type { NetworkAnswer } from './answer.js';

const verbose = onOff('verbose', 'Verbose output for diagnostics', { short: 'v' });

/** `shoal network inspect` */
export const networkInspect: CommandSpec = {
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  flags: [inspectFormatFlag, verbose],
  run: (context, values, references) =>
    inspectAll<NetworkAnswer>(context, values, references, {
      message: 'NetworkAnswer',
      get: (reference) =>
        context.client.get<NetworkAnswer>(pathOf('networks', reference), {
          query: values.get(verbose) ? { verbose: 'true' } : {},
        }),
    }),
};
