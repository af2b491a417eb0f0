const count_max = 5;
const length_max = 40; // no name is longer; whoever sends a book is not told of slips
const distance_max = 2; // as Docker's own command line library has it

/** The names that somebody who wrote `word` may have meant: those it begins, and those a slip or two away. */
export function similar(word: string, names: readonly string[]): string[] {
  const written = word.toLowerCase();
  if (written === '' || written.length > length_max) return [];
  const most = Math.min(distance_max, Math.floor(written.length / 3));
  return names
    .filter((name) => name.startsWith(written) || slips(written, name) <= most)
    .sort()
    .slice(0, count_max);
}

/** How many letters must be put in, left out, changed or swapped with their neighbour to make one word the other. */
function slips(from: string, to: string): number {
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let row = 1; row <= from.length; row++) {
    const next = [row];
    for (let at = 1; at <= to.length; at++) {
      const isSame = from[row - 1] === to[at - 1];
      let least = Math.min(last[at]! + 1, next[at - 1]! + 1, last[at - 1]! + (isSame ? 0 : 1));
      const isSwapped = row > 1 && at > 1 && from[row - 1] === to[at - 2] && from[row - 2] === to[at - 1];
      if (isSwapped) least = Math.min(least, before[at - 2]! + 1);
      next.push(least);
    }
    before = last;
    last = next;
  }
  return last[to.length]!;
}
