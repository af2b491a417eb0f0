import type { CommandSpec } from '../base/command.js';
import { updateNodes } from './common.js';

/** `shoal node promote` and `shoal node demote`: a node that has the role already is told of, and left as it is. */
function roleCommand(role: 'manager' | 'worker', already: string, done: string): CommandSpec {
  return {
    usage: 'NODE [NODE...]',
    operands: { min: 1, max: Number.POSITIVE_INFINITY },
    flags: [],
    async run(context, _values, references) {
      for (const reference of references) {
        await updateNodes(
          context,
          [reference],
          (node) => {
            if (node.Spec?.Role !== role) return { ...node.Spec, Role: role };
            context.out.write(`Node ${node.ID} is already a ${already}.\n`);
            return undefined;
          },
          () => `${done.replace('%', reference)}`,
        );
      }
    },
  };
}

export const promote = roleCommand('manager', 'manager', 'Node % promoted to a manager in the swarm.');
export const demote = roleCommand('worker', 'worker', 'Manager % demoted in the swarm.');
