import type { Logger } from 'winston';
import { messageOf } from '../../model/errors.js';
import { markMask, passMark } from './names.js';
import { hex } from './ruleset.js';
import type { KernelTools } from './tools.js';

const passRule = ['DOCKER-USER', '-m', 'mark', '--mark', `${hex(passMark)}/${hex(markMask)}`, '-j', 'ACCEPT'];

/** Docker drops what it does not know; one rule in the chain that it leaves to others lets through what carries our mark. */
export async function passEngine(tools: KernelTools, log: Logger): Promise<void> {
  try {
    await tools.run('iptables', ['-w', '-C', ...passRule]);
  } catch {
    // Without the engine's chain nothing of the engine's stands in the way either; it is looked for again and again.
    await tools
      .run('iptables', ['-w', '-I', ...passRule])
      .catch((error) => log.debug('the engine has no chain for us', { reason: messageOf(error) }));
  }
}

/** Takes the rule away. */
export async function unpassEngine(tools: KernelTools): Promise<void> {
  await tools.run('iptables', ['-w', '-D', ...passRule]).catch(() => {}); // the engine may have taken its chain away
}
