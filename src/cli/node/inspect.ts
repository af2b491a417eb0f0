import type { CommandSpec } from '../base/command.js';
import { inspectAll, inspectFormatFlag, prettyFlag } from '../base/inspect.js';
import type { Node } from '../base/wire.js';
import { getNode, resolveSelf } from './common.js';

/** `shoal node inspect` */
export const nodeInspect: CommandSpec = {
  usage: '[OPTIONS] self|NODE [NODE...]',
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  flags: [inspectFormatFlag, prettyFlag],
  run: (context, values, references) =>
    inspectAll<Node>(context, values, references, {
      message: 'Node',
      get: async (reference) => getNode(context, await resolveSelf(context, reference)),
      pretty: async (node) => (await import('./pretty.js')).describeNode(node),
    }),
};
