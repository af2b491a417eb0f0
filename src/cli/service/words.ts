/** The words of a command line as a POSIX shell splits them: quotes and backslashes count, nothing else does. Throws for an open quote. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: '"' | "'" | undefined;
  for (let at = 0; at < line.length; at++) {
    const letter = line[at]!;
    if (quote === "'") {
      if (letter === "'") quote = undefined;
      else word += letter;
    } else if (letter === '\\') {
      const next = line[++at];
      if (next === undefined) throw new Error('EOF found after escape character');
      // Within double quotes a backslash only hides what would end or begin something there.
      word = (word ?? '') + (quote === '"' && !'"\\$`'.includes(next) ? `\\${next}` : next);
    } else if (quote === '"') {
      if (letter === '"') quote = undefined;
      else word += letter;
    } else if (letter === '"' || letter === "'") {
      quote = letter;
      word ??= '';
    } else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + letter;
  }
  if (quote !== undefined) throw new Error('EOF found when expecting closing quote');
  if (word !== undefined) words.push(word);
  return words;
}

/** The fields of a line of comma-separated values; a field in double quotes may hold commas, and `""` for a quote. */
export function splitFields(line: string): string[] {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  for (;;) {
    const match = field.exec(line);
    if (match === null) throw new Error(`extraneous or missing " in quoted-field in '${line}'`);
    fields.push(match[1] === undefined ? match[2]! : match[1].replaceAll('""', '"'));
    if (match[3] === '') return fields;
  }
}

/** The `key=value` fields of a line; a field without `=` has no value. Keys are in lower case. */
export function splitPairs(line: string): { key: string; value: string | undefined; field: string }[] {
  return splitFields(line).map((field) => {
    const equals = field.indexOf('=');
    if (equals < 0) return { key: field.toLowerCase(), value: undefined, field };
    return { key: field.slice(0, equals).trim().toLowerCase(), value: field.slice(equals + 1).trim(), field };
  });
}
