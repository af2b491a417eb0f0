import type { Column } from './format.js';

type Labels = Readonly<Record<string, string>>;

/** Labels in the order of their keys. */
export function sortedLabels(labels: Labels | null | undefined): [string, string][] {
  return Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** What lists show of labels: all of them, and `{{.Label "key"}}`. */
export function labelColumns<Row>(labelsOf: (row: Row) => Labels | null | undefined): Column<Row>[] {
  return [
    {
      name: 'Labels',
      header: 'LABELS',
      value: (row) =>
        sortedLabels(labelsOf(row))
          .map(([key, value]) => `${key}=${value}`)
          .join(','),
    },
    {
      name: 'Label',
      header: 'LABEL',
      value: () => '',
      method: (row, key) => sortedLabels(labelsOf(row)).find(([name]) => name === key)?.[1] ?? '',
    },
  ];
}

/** A label `key=value`; without `=` the value is empty. Throws when it has no key. */
export function parseLabel(text: string): [string, string] {
  const equals = text.indexOf('=');
  const key = (equals < 0 ? text : text.slice(0, equals)).trimStart();
  if (key === '') throw new Error(`invalid label '${text}': empty name`);
  if (/\s/.test(key)) throw new Error(`label '${key}' contains whitespaces`);
  return [key, equals < 0 ? '' : text.slice(equals + 1)];
}
