import { TemplateError } from './error.js';
import { unquote } from './quote.js';

export type TokenKind =
  | 'text'
  | 'open' // {{
  | 'close' // }}
  | 'dot'
  | 'field' // .Name
  | 'variable' // $ or $name
  | 'word' // a function, a keyword, true, false, nil
  | 'string'
  | 'number'
  | 'mark'; // ( ) | , := =

export interface Token {
  readonly kind: TokenKind;
  /** As written; of a field and a variable without its sign; of text after trimming. */
  readonly text: string;
  /** Of a string or a number. */
  readonly value?: string | number;
  readonly line: number;
  /** Bytes from the line's start, as Go counts. */
  readonly column: number;
  /** Whether white space stands before it: `.A.B` is one value, `.A .B` are two. */
  readonly spaced: boolean;
}

const template_chars_max = 1024 * 1024; // room for the largest config there can be (1000 KB)
const name = /[\p{L}_][\p{L}\p{Nd}_]*/uy;
const number =
  /[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+(?![\d.eE])|0[bB][01_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)/y;
const quoted = /"(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\\n]|\\[^\n][^']*)'/y;
const space = /[ \t\r\n]+/y;
const mark = /:=|[()|,=]/y;

/** The tokens of a template: stretches of text, and what stands between `{{` and `}}`. Throws `TemplateError`. */
export function lex(source: string): Token[] {
  if (source.length > template_chars_max) {
    throw new TemplateError(`1: the template is longer than ${template_chars_max} characters`);
  }
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  while (at < source.length) {
    const open = source.indexOf('{{', at);
    const end = open < 0 ? source.length : open;
    const trimsBefore = open >= 0 && /^-[ \t\r\n]/.test(source.slice(open + 2, open + 4));
    let text = source.slice(at, end);
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, '');
    if (trimsBefore) text = text.replace(/[ \t\r\n]+$/, '');
    if (text !== '') tokens.push({ kind: 'text', text, ...placeOf(source, at), spaced: false });
    if (open < 0) break;
    const action = lexAction(source, open, open + (trimsBefore ? 4 : 2));
    tokens.push(...action.tokens);
    at = action.end;
    trimNext = action.trims;
  }
  return tokens;
}

interface Action {
  tokens: Token[];
  end: number;
  trims: boolean;
}

function lexAction(source: string, open: number, start: number): Action {
  if (source.startsWith('/*', start)) return skipComment(source, start);
  const tokens: Token[] = [{ kind: 'open', text: '{{', ...placeOf(source, open), spaced: false }];
  let at = start;
  let spaced = true;
  for (;;) {
    const blank = match(space, source, at);
    if (blank !== undefined) {
      at += blank.length;
      spaced = true;
    }
    const trims = spaced && source.startsWith('-}}', at);
    if (trims || source.startsWith('}}', at)) {
      tokens.push({ kind: 'close', text: '}}', ...placeOf(source, at), spaced });
      return { tokens, end: at + (trims ? 3 : 2), trims };
    }
    const token = lexToken(source, at, spaced);
    tokens.push(token.token);
    at = token.end;
    spaced = false;
  }
}

function lexToken(source: string, at: number, spaced: boolean): { token: Token; end: number } {
  const place = { ...placeOf(source, at), spaced };
  const make = (kind: TokenKind, text: string, length: number, value?: string | number) => ({
    token: value === undefined ? { kind, text, ...place } : { kind, text, value, ...place },
    end: at + length,
  });
  const first = source[at];
  if (first === undefined) throw new TemplateError(`${place.line}: unclosed action`);
  if (first === '$') {
    const word = match(name, source, at + 1) ?? '';
    return make('variable', word, word.length + 1);
  }
  if (first === '.' && !/\d/.test(source[at + 1] ?? '')) {
    const word = match(name, source, at + 1);
    return word === undefined ? make('dot', '.', 1) : make('field', word, word.length + 1);
  }
  const literal = match(quoted, source, at);
  if (literal !== undefined) {
    const value = unquote(literal);
    if (value === undefined) throw new TemplateError(`${place.line}: malformed constant: ${literal}`);
    return make(literal.startsWith("'") ? 'number' : 'string', literal, literal.length, value);
  }
  if (/["'`]/.test(first)) throw new TemplateError(`${place.line}: unterminated quoted string`);
  const digits = match(number, source, at);
  if (digits !== undefined) {
    const value = numberOf(digits);
    const more = match(name, source, at + digits.length) ?? '';
    if (Number.isNaN(value) || more !== '') {
      throw new TemplateError(`${place.line}: bad number syntax: ${JSON.stringify(digits + more)}`);
    }
    return make('number', digits, digits.length, value);
  }
  const word = match(name, source, at);
  if (word !== undefined) return make('word', word, word.length);
  const sign = match(mark, source, at);
  if (sign !== undefined) return make('mark', sign, sign.length);
  throw new TemplateError(`${place.line}: unrecognized character in action: ${JSON.stringify(first)}`);
}

function skipComment(source: string, start: number): Action {
  const end = source.indexOf('*/', start + 2);
  const { line } = placeOf(source, start);
  if (end < 0) throw new TemplateError(`${line}: unclosed comment`);
  const close = /^(?:\}\}|[ \t\r\n]+-\}\})/.exec(source.slice(end + 2));
  if (close === null) throw new TemplateError(`${line}: comment ends before closing delimiter`);
  return { tokens: [], end: end + 2 + close[0].length, trims: close[0] !== '}}' };
}

function numberOf(digits: string): number {
  const plain = digits.replaceAll('_', '');
  const negative = plain.startsWith('-');
  const magnitude = plain.replace(/^[-+]/, '');
  const octal = /^0[oO]?([0-7]+)$/.exec(magnitude);
  const value = octal === null ? Number(magnitude) : Number.parseInt(octal[1]!, 8);
  return negative ? 0 - value : value;
}

function match(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}

function placeOf(source: string, at: number): { line: number; column: number } {
  const before = source.slice(0, at);
  const newline = before.lastIndexOf('\n');
  return { line: before.split('\n').length, column: Buffer.byteLength(before.slice(newline + 1)) };
}
