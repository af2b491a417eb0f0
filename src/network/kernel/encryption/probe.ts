import { messageOf } from '../../../model/errors.js';
import type { Random } from '../../../model/random.js';
import type { KernelTools } from '../tools.js';
import { observeProgram } from './observed.js';
import { emptyProgram, epochs_max, ourIDs, programCommands, type State } from './program.js';

/** Between addresses that nobody has (RFC 5737). Its epoch is that of no node. */
const probe: State = {
  from: '192.0.2.1',
  to: '192.0.2.2',
  spi: 0x80000000,
  key: '5a'.repeat(20),
  reqid: ourIDs,
};

/**
 * Why this kernel cannot encrypt what goes to other nodes, in its own words; undefined when it can. It is really asked for a state, which is taken
 * back at once.
 */
export async function encryptionObstacle(tools: KernelTools): Promise<string | undefined> {
  const withProbe = { states: [probe], policies: [] };
  const run = (lines: string[]) => tools.run('ip', ['-batch', '-'], `${lines.join('\n')}\n`);
  const remove = () => run(programCommands(emptyProgram, withProbe)).catch(() => {}); // mostly there is none
  await remove(); // of a daemon that was killed meanwhile
  try {
    await run(programCommands(withProbe, emptyProgram));
    const { states } = await observeProgram(tools);
    if (states.some(({ key }) => key === probe.key)) return undefined;
    return 'the kernel hides keys of IPsec (lockdown of confidentiality), so what it has cannot be compared with what it shall have';
  } catch (error) {
    return `the kernel has no IPsec ESP with AES-GCM (CONFIG_XFRM_USER, CONFIG_INET_ESP, CONFIG_CRYPTO_GCM): ${wordsOf(error)}`;
  } finally {
    await remove();
  }
}

/** Of what `ip` wrote, without the number of the line that it was about. */
function wordsOf(error: unknown): string {
  const said = messageOf(error).replace(/^ip -batch -: /, '');
  return said
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('Command failed'))
    .join('; ');
}

/** The epoch of what is in the kernel, of an agent before us; a new one where nothing is. */
export async function epochHere(tools: KernelTools, random: Random): Promise<number> {
  const { states } = await observeProgram(tools);
  const found = states.map(({ reqid }) => reqid - ourIDs).find((epoch) => epoch !== 0);
  return found ?? newEpoch(random, 0);
}

/** Another one than `before`; never 0. */
export function newEpoch(random: Random, before: number): number {
  const epoch = 1 + random.below(epochs_max);
  return epoch === before ? newEpoch(random, before) : epoch;
}
