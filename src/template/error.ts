/**
 * A template that cannot be read or run. The message has the place, in Go's words: `template: :1:2: executing "" at <.X>: …`, and before
 * it starts running `template: :1: …`.
 */
export class TemplateError extends Error {
  readonly #what: string;
  readonly #operand: Failing | undefined;

  /** `operand` is what failed in a template that ran; without one the message begins with its line. */
  constructor(what: string, operand?: Failing) {
    super(wordsOf('', what, operand));
    this.name = 'TemplateError';
    this.#what = what;
    this.#operand = operand;
  }

  /** The message of a template that has a name in Go. */
  named(name: string): string {
    return wordsOf(name, this.#what, this.#operand);
  }
}

interface Failing {
  /** Line and column. */
  readonly place: string;
  readonly text: string;
}

function wordsOf(name: string, what: string, operand: Failing | undefined): string {
  const at = operand && `${operand.place}: executing ${JSON.stringify(name)} at <${operand.text}>: `;
  return `template: ${name}:${at ?? ''}${what}`;
}
