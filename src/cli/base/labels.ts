/** A label `key=value`; without `=` the value is empty. Throws when it has no key. */
export function parseLabel(text: string): [string, string] {
  const equals = text.indexOf('=');
  const key = (equals < 0 ? text : text.slice(0, equals)).trimStart();
  if (key === '') throw new Error(`invalid label '${text}': empty name`);
  if (/\s/.test(key)) throw new Error(`label '${key}' contains whitespaces`);
  return [key, equals < 0 ? '' : text.slice(equals + 1)];
}
