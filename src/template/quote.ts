const simple: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/**
 * The value of a Go constant in quotes: a string for `"…"` and raw strings, a code point for `'x'`.
 * Undefined when an escape in it is not one of Go's.
 */
export function unquote(literal: string): string | number | undefined {
  const quote = literal[0];
  const inner = literal.slice(1, -1);
  if (quote === '`') return inner.replaceAll('\r', '');
  const value = unescaped(inner);
  if (value === undefined || quote === '"') return value;
  return [...value].length === 1 ? value.codePointAt(0) : undefined;
}

function unescaped(inner: string): string | undefined {
  let value = '';
  let at = 0;
  while (at < inner.length) {
    if (inner[at] !== '\\') {
      value += inner[at++];
      continue;
    }
    const plain = simple[inner[at + 1] ?? ''];
    const code = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))/.exec(
      inner.slice(at, at + 10),
    );
    if (plain !== undefined) {
      value += plain;
      at += 2;
    } else if (code !== null) {
      const point = Number.parseInt(code[1] ?? code[2] ?? code[3] ?? code[4]!, code[4] === undefined ? 16 : 8);
      if (point > 0x10ffff) return undefined;
      value += String.fromCodePoint(point);
      at += code[0].length;
    } else return undefined;
  }
  return value;
}
