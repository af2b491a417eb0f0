/**
 * Lines that are run on a cluster of ours and on Docker's own, one after the other, each compared (compare.ts). A line is the words behind
 * `docker`, as a shell would take them:
 * - `{A}` and `{B}` are the addresses of the first and the second host, `{IMAGE}` an image that every engine has, `{RUN}` a word
 *   of its own for each client;
 * - `$(…)` is what another line prints on the same side;
 * - `@B …` runs at the second host;
 * - `until WORDS: …` is repeated until it prints WORDS, and not compared.
 */
export interface Scenario {
  name: string;
  lines: readonly string[];
  /** Files that the lines name, by their name. */
  files?: Readonly<Record<string, string>>;
}

export interface Line {
  words: string[];
  host: 'A' | 'B';
  /** What is waited for; undefined: the line is compared. */
  until: string | undefined;
}

/** Takes a line apart; `$(…)` stays one word, or a part of one. */
export function parseLine(text: string): Line {
  let rest = text;
  const until = /^until (.*?): /.exec(rest);
  if (until !== null) rest = rest.slice(until[0].length);
  const isOnB = rest.startsWith('@B ');
  if (isOnB) rest = rest.slice(3);
  const words = rest.match(/(?:'[^']*'|\$\([^)]*\)|\{\{.*?\}\}|[^\s'])+/g) ?? [];
  return {
    words: words.map((word) => word.replaceAll("'", '')),
    host: isOnB ? 'B' : 'A',
    until: until?.[1],
  };
}
