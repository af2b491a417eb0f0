/** What a leader did with a proposal, if anything: '' accepted, otherwise why it was refused. */
type Verdict = string;

/**
 * Remembers which proposals a leader has dealt with in its term, so that one that arrives twice counts once. Proposals name the
 * term they are meant for, so nothing has to be remembered from one term to the next.
 */
export class Acceptance {
  private readonly sessions = new Map<number, { lowest: number; verdicts: Map<number, Verdict> }>();

  /** `undefined`: never seen. A proposal below `lowest`, which its session settled, counts as accepted. */
  verdict(session: number, sequence: number): Verdict | undefined {
    const known = this.sessions.get(session);
    if (known === undefined) return undefined;
    return sequence < known.lowest ? '' : known.verdicts.get(sequence);
  }

  note(session: number, sequence: number, lowest: number, verdict: Verdict): void {
    let known = this.sessions.get(session);
    if (known === undefined) {
      known = { lowest: 0, verdicts: new Map() };
      this.sessions.set(session, known);
    }
    known.verdicts.set(sequence, verdict);
    if (lowest <= known.lowest) return;
    known.lowest = lowest;
    for (const settled of known.verdicts.keys()) if (settled < lowest) known.verdicts.delete(settled);
  }
}
