import type { KernelTools } from '../tools.js';
import { isOurID, type Policy, type Program, type State } from './program.js';

/** What of the kernel's IPsec is ours. Throws what the tools throw, as where the kernel has none. */
export async function observeProgram(tools: KernelTools): Promise<Program> {
  const [states, policies] = await Promise.all([
    tools.run('ip', ['-4', 'xfrm', 'state', 'list']),
    tools.run('ip', ['-4', 'xfrm', 'policy', 'list']),
  ]);
  return { states: parseStates(states), policies: parsePolicies(policies) };
}

/** Entries begin at the margin, what belongs to them is indented. */
function entriesOf(text: string): string[] {
  return text.split(/\n(?=src )/).filter((entry) => entry.startsWith('src '));
}

/** Those that are ours in what `ip xfrm state list` says, which has no other form. */
export function parseStates(text: string): State[] {
  return entriesOf(text).flatMap((entry) => {
    const ends = /^src (\S+) dst (\S+)/.exec(entry);
    const ids = /proto esp spi (0x[0-9a-f]+) reqid (\d+)/.exec(entry);
    if (ends === null || ids === null || !isOurID(Number(ids[2]))) return [];
    const key = /aead \S+ 0x([0-9a-f]+) /.exec(entry)?.[1] ?? '';
    return [{ from: ends[1]!, to: ends[2]!, spi: Number(ids[1]), reqid: Number(ids[2]), key }];
  });
}

/** Likewise of `ip xfrm policy list`. */
export function parsePolicies(text: string): Policy[] {
  return entriesOf(text).flatMap((entry): Policy[] => {
    const selector = /^src (\S+) dst (\S+) proto udp (?:.*\s)?dport (\d+)/.exec(entry);
    const rank = /dir (in|out) (.*)priority (\d+)/.exec(entry);
    if (selector === null || rank === null || !isOurID(Number(rank[3]))) return [];
    const template = /tmpl src (\S+) dst (\S+)\s+proto esp (?:spi (0x[0-9a-f]+)\S* )?reqid (\d+)/.exec(entry);
    return [
      {
        direction: rank[1] as Policy['direction'],
        from: selector[1]!,
        to: selector[2]!,
        port: Number(selector[3]),
        priority: Number(rank[3]),
        seal: template
          ? { from: template[1]!, to: template[2]!, spi: Number(template[3] ?? 0), reqid: Number(template[4]) }
          : undefined,
      },
    ];
  });
}
