/** What a template is made of once it has been read. */
export type Step =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipeline: Pipeline;
      readonly body: Step[];
      readonly otherwise: Step[];
    }
  | { readonly kind: 'break' | 'continue' };

/** `$a, $b := command | command`: the value of each command is the last argument of the next. */
export interface Pipeline {
  /** Variables that take its value. */
  readonly variables: readonly string[];
  /** Whether it declares them (`:=`) or sets those there are (`=`). */
  readonly declares: boolean;
  readonly commands: readonly Command[];
}

/** A value, or a function or method with its arguments. */
export interface Command {
  readonly operands: readonly Operand[];
}

export type Operand = { readonly place: string; readonly text: string } & (
  | { readonly kind: 'dot' }
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  | { readonly kind: 'function'; readonly name: string }
  /** Fields of dot, of a variable or of a pipeline in parentheses. */
  | { readonly kind: 'field'; readonly names: readonly string[] }
  | { readonly kind: 'variable'; readonly name: string; readonly names: readonly string[] }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline; readonly names: readonly string[] }
);
