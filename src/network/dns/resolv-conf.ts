import { readFile } from 'node:fs/promises';

/** The name servers of this machine, as its resolver asks them; none when the file is not there. */
export async function systemNameservers(): Promise<readonly string[]> {
  const text = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  return nameserversIn(text);
}

/** Addresses in the order of the lines (resolv.conf(5)). */
export function nameserversIn(text: string): string[] {
  return text.split('\n').flatMap((line) => /^\s*nameserver\s+([0-9a-fA-F.:]+)(?:%\S+)?\s*$/.exec(line)?.[1] ?? []);
}
