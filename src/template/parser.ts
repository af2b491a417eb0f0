import { TemplateError } from './error.js';
import { lex, type Token } from './lexer.js';
import type { Command, Operand, Pipeline, Step } from './syntax.js';

const depth_max = 100; // nested blocks and parentheses: more than any sane template, less than our own stack

const unsupported = new Set(['define', 'template', 'block']);
const blocks = new Set(['if', 'with', 'range']);

/** Reads a template. `functions` are the names it may call. Throws `TemplateError` with the line. */
export function parse(source: string, functions: ReadonlySet<string>): Step[] {
  return new Parser(lex(source), functions).template();
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #functions: ReadonlySet<string>;
  #at = 0;
  #depth = 0;
  #loops = 0;
  /** Variables in scope, innermost last. `$` is the value the template runs on. */
  #variables: string[] = [''];

  constructor(tokens: readonly Token[], functions: ReadonlySet<string>) {
    this.#tokens = tokens;
    this.#functions = functions;
  }

  template(): Step[] {
    const { steps, ending } = this.#steps();
    if (ending !== undefined) this.#fail(ending, `unexpected {{${ending.text}}}`);
    return steps;
  }

  /** Steps up to the `end` or `else` that belongs to the block around them (undefined: up to the end of the template). */
  #steps(): { steps: Step[]; ending: Token | undefined } {
    const steps: Step[] = [];
    for (let token = this.#tokens[this.#at]; token !== undefined; token = this.#tokens[this.#at]) {
      this.#at++;
      if (token.kind === 'text') {
        steps.push({ kind: 'text', text: token.text });
        continue;
      }
      const word = this.#peek();
      if (word.kind === 'word' && (word.text === 'end' || word.text === 'else')) {
        this.#at++;
        return { steps, ending: word };
      }
      steps.push(this.#action(word));
    }
    return { steps, ending: undefined };
  }

  #action(word: Token): Step {
    if (word.kind === 'word') {
      if (unsupported.has(word.text)) this.#fail(word, `{{${word.text}}} is not supported`);
      if (word.text === 'break' || word.text === 'continue') {
        this.#at++;
        if (this.#loops === 0) this.#fail(word, `{{${word.text}}} outside {{range}}`);
        this.#close(word.text);
        return { kind: word.text };
      }
      if (blocks.has(word.text)) {
        this.#at++;
        return this.#block(word, word.text as 'if' | 'with' | 'range');
      }
    }
    const pipeline = this.#pipeline('command', false);
    this.#close('command');
    return { kind: 'action', pipeline };
  }

  #block(word: Token, kind: 'if' | 'with' | 'range'): Step {
    const outside = this.#variables.length;
    this.#enter(word);
    const pipeline = this.#pipeline(kind, kind === 'range');
    this.#close(kind);
    if (kind === 'range') this.#loops++;
    const { steps: body, ending } = this.#steps();
    if (kind === 'range') this.#loops--;
    let otherwise: Step[] = [];
    if (ending === undefined) this.#fail(word, 'unexpected EOF');
    if (ending.text === 'else') {
      const next = this.#peek();
      if (next.kind === 'word' && next.text === kind && kind !== 'range') {
        // `else if` is an `if` in the `else`, and their `end` is one.
        this.#at++;
        otherwise = [this.#block(next, kind)];
        this.#leave(outside);
        return { kind, pipeline, body, otherwise };
      }
      this.#close('else');
      const rest = this.#steps();
      if (rest.ending === undefined) this.#fail(word, 'unexpected EOF');
      if (rest.ending.text === 'else') this.#fail(rest.ending, 'expected end; found {{else}}');
      otherwise = rest.steps;
    }
    this.#close('end');
    this.#leave(outside);
    return { kind, pipeline, body, otherwise };
  }

  #pipeline(context: string, isRange: boolean): Pipeline {
    const variables: string[] = [];
    let declares = false;
    const start = this.#at;
    const first = this.#peek();
    if (first.kind === 'variable') {
      this.#at++;
      variables.push(first.text);
      if (isRange && this.#isMark(',')) {
        this.#at++;
        const second = this.#next();
        if (second.kind !== 'variable') this.#fail(second, `unexpected ${shown(second)} in range`);
        variables.push(second.text);
      }
      if (this.#isMark(':=') || this.#isMark('=')) declares = this.#next().text === ':=';
      else {
        if (variables.length > 1) this.#fail(this.#peek(), `unexpected ${shown(this.#peek())} in range`);
        variables.length = 0;
        this.#at = start;
      }
    }
    const commands: Command[] = [this.#command(context)];
    while (this.#isMark('|')) {
      this.#at++;
      const head = this.#peek();
      const command = this.#command(context);
      if (command.operands[0]!.kind === 'literal' || command.operands[0]!.kind === 'dot') {
        this.#fail(head, `non executable command in pipeline stage ${commands.length + 1}`);
      }
      commands.push(command);
    }
    for (const name of variables) {
      if (declares) this.#variables.push(name);
      else this.#known(first, name);
    }
    return { variables, declares, commands };
  }

  #command(context: string): Command {
    const operands: Operand[] = [];
    for (let token = this.#peek(); ; token = this.#peek()) {
      if (token.kind === 'close' || (token.kind === 'mark' && token.text !== '(')) break;
      if (operands.length > 0 && !token.spaced) this.#fail(token, `unexpected ${shown(token)} in operand`);
      operands.push(this.#operand());
    }
    const [first] = operands;
    if (first === undefined) this.#fail(this.#peek(), `missing value for ${context}`);
    if (first.kind === 'literal' && first.value === null) this.#fail(this.#peek(), 'nil is not a command');
    return { operands };
  }

  #operand(): Operand {
    const token = this.#next();
    const place = placeOf(token);
    const operand = (text: string) => ({ place, text });
    // of `.A.B` Go says where `.B` stands
    const after = this.#peek();
    const chained = (text: string, more: readonly string[]) => ({
      place: more.length > 0 ? placeOf(after) : place,
      text,
    });
    switch (token.kind) {
      case 'dot':
        return { ...operand('.'), kind: 'dot' };
      case 'string':
      case 'number':
        return { ...operand(token.text), kind: 'literal', value: token.value! };
      case 'field': {
        const more = this.#fields();
        const names = [token.text, ...more];
        return { ...chained(`.${names.join('.')}`, more), kind: 'field', names };
      }
      case 'variable': {
        this.#known(token, token.text);
        const names = this.#fields();
        return { ...chained(`$${[token.text, ...names].join('.')}`, names), kind: 'variable', name: token.text, names };
      }
      case 'word':
        return this.#word(token, operand(token.text));
      case 'mark':
        if (token.text === '(') return this.#parentheses(token, place);
    }
    return this.#fail(token, `unexpected ${shown(token)} in operand`);
  }

  #word(token: Token, base: { place: string; text: string }): Operand {
    if (token.text === 'true' || token.text === 'false')
      return { ...base, kind: 'literal', value: token.text === 'true' };
    if (token.text === 'nil') return { ...base, kind: 'literal', value: null };
    if (!this.#functions.has(token.text)) this.#fail(token, `function ${JSON.stringify(token.text)} not defined`);
    return { ...base, kind: 'function', name: token.text };
  }

  #parentheses(token: Token, place: string): Operand {
    const outside = this.#variables.length;
    this.#enter(token);
    const pipeline = this.#pipeline('parenthesized pipeline', false);
    if (this.#peek().kind === 'close') this.#fail(this.#peek(), 'unclosed left paren');
    if (!this.#isMark(')')) this.#fail(this.#peek(), `unexpected ${shown(this.#peek())} in parenthesized pipeline`);
    this.#at++;
    this.#depth--;
    this.#variables.length = Math.max(outside, this.#variables.length);
    return { place, text: '(…)', kind: 'pipeline', pipeline, names: this.#fields() };
  }

  /** The `.A.B` that follows without a space. */
  #fields(): string[] {
    const names: string[] = [];
    for (let token = this.#peek(); token.kind === 'field' && !token.spaced; token = this.#peek()) {
      names.push(token.text);
      this.#at++;
    }
    return names;
  }

  #known(token: Token, name: string): void {
    if (!this.#variables.includes(name)) this.#fail(token, `undefined variable "$${name}"`);
  }

  #enter(token: Token): void {
    if (++this.#depth > depth_max) this.#fail(token, `more than ${depth_max} blocks within each other`);
  }

  #leave(variables: number): void {
    this.#depth--;
    this.#variables.length = variables;
  }

  #close(context: string): void {
    const token = this.#next();
    if (token.kind !== 'close') this.#fail(token, `unexpected ${shown(token)} in ${context}`);
  }

  #isMark(text: string): boolean {
    const token = this.#peek();
    return token.kind === 'mark' && token.text === text;
  }

  /** The lexer closes every action, so inside one there is always a next token. */
  #peek(): Token {
    return this.#tokens[this.#at]!;
  }

  #next(): Token {
    return this.#tokens[this.#at++]!;
  }

  #fail(token: Token, message: string): never {
    throw new TemplateError(`${token.line}: ${message}`);
  }
}

function placeOf({ line, column }: Token): string {
  return `${line}:${column}`;
}

function shown(token: Token): string {
  const signs: Partial<Record<Token['kind'], string>> = { field: '.', variable: '$' };
  return JSON.stringify((signs[token.kind] ?? '') + token.text);
}
