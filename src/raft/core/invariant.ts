/** A rule that the protocol guarantees does not hold: this member's state cannot be trusted, it must stop. */
export class InvariantError extends Error {
  constructor(message: string) {
    super(`raft invariant broken: ${message}`);
    this.name = 'InvariantError';
  }
}

export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** A message that no member that keeps to the protocol can have sent. It is refused, and nothing has changed. */
export class ProtocolError extends Error {
  constructor(message: string) {
    super(`against the raft protocol: ${message}`);
    this.name = 'ProtocolError';
  }
}
