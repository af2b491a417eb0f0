import type { CommandSpec } from '../base/command.js';
import { onOff } from '../base/flag.js';

const forceFlag = onOff('force', 'Force this node to leave the swarm, ignoring warnings', { short: 'f' });

/** `shoal swarm leave` */
export const swarmLeave: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: [forceFlag],
  async run(context, values) {
    await context.client.post('/swarm/leave', { query: { force: values.get(forceFlag) || undefined } });
    context.out.write('Node left the swarm.\n');
  },
};
