import type { Logger } from 'winston';
import { messageOf } from '../../model/errors.js';
import { markMask, passMark } from './names.js';
import { hex } from './ruleset.js';
import type { KernelTools } from './tools.js';

const chain = 'DOCKER-USER';
const passRule = ['-m', 'mark', '--mark', `${hex(passMark)}/${hex(markMask)}`, '-j', 'ACCEPT'];

/** Docker drops what it does not know; one rule in the chain that it leaves to others lets through what carries our mark, last of all. */
export async function passEngine(tools: KernelTools, log: Logger): Promise<void> {
  try {
    await tools.run('iptables', ['-w', '-C', chain, ...passRule]);
  } catch {
    // Without the engine's chain nothing of the engine's stands in the way either; it is looked for again and again.
    await insert(tools).catch((error) => log.debug('the engine has no chain for us', { reason: messageOf(error) }));
  }
}

/** Before the return at its end, which the engine puts there, and after all that an administrator refuses there. */
async function insert(tools: KernelTools): Promise<void> {
  const rules = (await tools.run('iptables', ['-w', '-S', chain])).split('\n').filter((line) => line.startsWith('-A '));
  const place = rules.at(-1) === `-A ${chain} -j RETURN` ? rules.length : rules.length + 1;
  await tools.run('iptables', ['-w', '-I', chain, `${place}`, ...passRule]);
}

/** Takes the rule away. */
export async function unpassEngine(tools: KernelTools): Promise<void> {
  await tools.run('iptables', ['-w', '-D', chain, ...passRule]).catch(() => {}); // the engine may have taken its chain away
}
