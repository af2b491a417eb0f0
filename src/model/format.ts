/**
 * How what managers agree on is written: entries of the log, snapshots, and what applying them does to the store. To be raised with every change
 * after which an older build would misread a newer one's, or apply it to something else. Managers with different numbers do not talk to each other.
 */
export const agreedFormat = 2;

/** Why a manager with `theirs` cannot be one of ours; undefined if it can. A build from before the number has 0. */
export function formatObstacle(theirs: number): string | undefined {
  if (theirs === agreedFormat) return undefined;
  const [newer, older] = theirs > agreedFormat ? ['the caller', 'this manager'] : ['this manager', 'the caller'];
  return `Format: the caller writes the log as format ${theirs}, this manager as ${agreedFormat}, and they would misread each other: have all managers run one version of shoal (${newer} has a newer one than ${older})`;
}
