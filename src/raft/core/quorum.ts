/** How many of `voters` are a majority. */
export function quorumSize(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/**
 * The highest index that a majority of the voters has, given what each acknowledged (undefined: nothing known). Of no voters at
 * all it is infinite: an empty set holds nothing back.
 */
export function committedIndex(voters: Iterable<number>, acknowledged: (id: number) => number | undefined): number {
  // In falling order. A leader asks after every message, and a sort of so few costs more than they do.
  const indexes: number[] = [];
  for (const id of voters) {
    const index = acknowledged(id) ?? 0;
    let place = indexes.length;
    for (; place > 0 && (indexes[place - 1] as number) < index; place--) indexes[place] = indexes[place - 1] as number;
    indexes[place] = index;
  }
  if (indexes.length === 0) return Number.POSITIVE_INFINITY;
  return indexes[quorumSize(indexes.length) - 1] as number;
}

export type VoteResult = 'won' | 'pending' | 'lost';

/** How a vote stands, given each voter's answer (undefined: none yet). No voters at all: won, for the same reason. */
export function voteResult(voters: Iterable<number>, vote: (id: number) => boolean | undefined): VoteResult {
  let count = 0;
  let yes = 0;
  let missing = 0;
  for (const id of voters) {
    count++;
    const answer = vote(id);
    if (answer === undefined) missing++;
    else if (answer) yes++;
  }
  if (count === 0 || yes >= quorumSize(count)) return 'won';
  return yes + missing >= quorumSize(count) ? 'pending' : 'lost';
}
