import { TemplateError } from './error.js';
import { builtins, type Functions, type TemplateFunction } from './functions.js';
import { parse } from './parser.js';
import type { Command, Operand, Pipeline, Step } from './syntax.js';
import { entriesOf, fieldOf, isTrue, print, typeOf } from './values.js';

const steps_max = 1_000_000; // of one run: a template from outside must not keep us busy
const output_chars_max = 16 * 1024 * 1024;

/** A Go text/template, read once and run on any number of values. */
export class Template {
  readonly #steps: readonly Step[];
  readonly #functions: ReadonlyMap<string, TemplateFunction>;

  /** Throws `TemplateError` when the text is no template. `functions` come on top of Go's own. */
  constructor(text: string, functions: Functions = {}) {
    this.#functions = new Map([...Object.entries(builtins), ...Object.entries(functions)]);
    this.#steps = parse(text, new Set([...this.#functions.keys(), 'and', 'or']));
  }

  /**
   * The text for one value. Its objects are structs, its `Map`s maps; a function among an object's own properties is a
   * method. Throws `TemplateError` when a field does not exist, a function refuses, or the run exceeds its bounds.
   */
  run(data: unknown): string {
    const run = new Run(this.#functions, data);
    run.steps(this.#steps, data);
    return run.output.join('');
  }
}

type Ending = 'break' | 'continue' | undefined;

class Run {
  readonly output: string[] = [];
  readonly #functions: ReadonlyMap<string, TemplateFunction>;
  readonly #variables: { name: string; value: unknown }[];
  #stepsLeft = steps_max;
  #charsLeft = output_chars_max;

  constructor(functions: ReadonlyMap<string, TemplateFunction>, data: unknown) {
    this.#functions = functions;
    this.#variables = [{ name: '', value: data }];
  }

  steps(steps: readonly Step[], dot: unknown): Ending {
    const outside = this.#variables.length;
    let ending: Ending;
    for (const step of steps) {
      ending = this.#step(step, dot);
      if (ending !== undefined) break;
    }
    this.#variables.length = outside;
    return ending;
  }

  #step(step: Step, dot: unknown): Ending {
    this.#count();
    switch (step.kind) {
      case 'text':
        return void this.#write(step.text);
      case 'action': {
        const value = this.#pipeline(step.pipeline, dot);
        if (step.pipeline.variables.length === 0) this.#write(print(value));
        return undefined;
      }
      case 'break':
      case 'continue':
        return step.kind;
      case 'range':
        return this.#range(step, dot);
      case 'if':
      case 'with': {
        const outside = this.#variables.length;
        const value = this.#pipeline(step.pipeline, dot);
        const ending = isTrue(value)
          ? this.steps(step.body, step.kind === 'with' ? value : dot)
          : this.steps(step.otherwise, dot);
        this.#variables.length = outside;
        return ending;
      }
    }
  }

  #range(step: Step & { kind: 'range' | 'if' | 'with' }, dot: unknown): Ending {
    const { variables, declares, commands } = step.pipeline;
    const outside = this.#variables.length;
    const value = this.#pipeline({ variables: [], declares: false, commands }, dot);
    const entries = this.#entries(value, commands[0]!.operands[0]!);
    if (entries.length === 0) return this.steps(step.otherwise, dot);
    for (const [key, item] of entries) {
      this.#count();
      // One variable takes the item, two take its key and the item.
      const values = variables.length === 2 ? [key, item] : [item];
      for (const [at, name] of variables.entries()) this.#set(name, values[at], declares);
      const ending = this.steps(step.body, item);
      this.#variables.length = outside;
      if (ending === 'break') break;
    }
    return undefined;
  }

  #entries(value: unknown, operand: Operand): [unknown, unknown][] {
    if (value === null || value === undefined) return [];
    if (Array.isArray(value)) return [...value.entries()];
    if (typeof value === 'object') return entriesOf(value);
    if (typeof value === 'number' && Number.isSafeInteger(value)) {
      if (value > steps_max) fail(operand, `range over ${value}: the most is ${steps_max}`);
      return Array.from({ length: Math.max(0, value) }, (_none, at) => [at, at]);
    }
    return fail(operand, `range can't iterate over ${print(value)}`);
  }

  #pipeline(pipeline: Pipeline, dot: unknown): unknown {
    let value: unknown;
    for (const [at, command] of pipeline.commands.entries()) {
      this.#count();
      value = this.#command(command, dot, at === 0 ? [] : [value]);
    }
    for (const name of pipeline.variables) this.#set(name, value, pipeline.declares);
    return value;
  }

  #set(name: string, value: unknown, declares: boolean): void {
    const variable = declares ? undefined : this.#variables.findLast((each) => each.name === name);
    if (variable === undefined) this.#variables.push({ name, value });
    else variable.value = value;
  }

  #command(command: Command, dot: unknown, last: readonly unknown[]): unknown {
    const [head, ...rest] = command.operands;
    if (head!.kind === 'function') return this.#call(head!, head!.name, rest, dot, last);
    return this.#value(head!, dot, () => [...rest.map((operand) => this.#value(operand, dot)), ...last]);
  }

  #call(head: Operand, name: string, operands: readonly Operand[], dot: unknown, last: readonly unknown[]): unknown {
    if (name === 'and' || name === 'or') {
      if (operands.length + last.length === 0) fail(head, `wrong number of args for ${name}: want at least 1 got 0`);
      let value: unknown;
      for (const operand of operands) {
        value = this.#value(operand, dot);
        if (isTrue(value) === (name === 'or')) return value;
      }
      return last.length > 0 ? last[0] : value;
    }
    const args = [...operands.map((operand) => this.#value(operand, dot)), ...last];
    try {
      return this.#functions.get(name)!(...args);
    } catch (thrown) {
      if (thrown instanceof TemplateError) throw thrown;
      return fail(head, `error calling ${name}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    }
  }

  /** What an operand stands for. `args` go to the last field when it is a method; a plain value takes none. */
  #value(operand: Operand, dot: unknown, args: () => readonly unknown[] = () => []): unknown {
    this.#count();
    switch (operand.kind) {
      case 'dot':
        return this.#plain(operand, dot, args);
      case 'literal':
        return this.#plain(operand, operand.value, args);
      case 'function':
        return this.#call(operand, operand.name, [], dot, args());
      case 'field':
        return this.#fields(operand, dot, operand.names, args);
      case 'variable': {
        const variable = this.#variables.findLast((each) => each.name === operand.name);
        return this.#fields(operand, variable?.value, operand.names, args);
      }
      case 'pipeline': {
        const outside = this.#variables.length;
        const value = this.#pipeline(operand.pipeline, dot);
        this.#variables.length = outside;
        return this.#fields(operand, value, operand.names, args);
      }
    }
  }

  #fields(operand: Operand, from: unknown, names: readonly string[], args: () => readonly unknown[]): unknown {
    if (names.length === 0) return this.#plain(operand, from, args);
    let value = from;
    for (const [at, name] of names.entries()) {
      const owner = value;
      try {
        value = fieldOf(owner, name);
        if (typeof value === 'function') value = value.apply(owner, at === names.length - 1 ? [...args()] : []);
        else if (at === names.length - 1) this.#plain(operand, value, args);
      } catch (thrown) {
        if (thrown instanceof TemplateError) throw thrown;
        fail(operand, thrown instanceof Error ? thrown.message : String(thrown));
      }
    }
    return value;
  }

  #plain(operand: Operand, value: unknown, args: () => readonly unknown[]): unknown {
    if (args().length > 0) {
      const what =
        operand.kind === 'field'
          ? `${operand.names.at(-1)} is not a method but`
          : `can't give argument to non-function`;
      fail(operand, operand.kind === 'field' ? `${what} has arguments` : `${what} ${operand.text} (${typeOf(value)})`);
    }
    return value;
  }

  #count(): void {
    if (--this.#stepsLeft < 0) throw new TemplateError(`1: the template takes more than ${steps_max} steps`);
  }

  #write(text: string): void {
    this.#charsLeft -= text.length;
    if (this.#charsLeft < 0) throw new TemplateError(`1: the output is longer than ${output_chars_max} characters`);
    this.output.push(text);
  }
}

function fail(operand: Operand, message: string): never {
  throw new TemplateError(message, operand);
}
