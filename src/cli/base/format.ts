import { CliError } from './errors.js';
import { onOff, text, type Values } from './flag.js';
import { alignTable, oneLine } from './table.js';

/** One field of a listing: `{{.Name}}` in a template, a column under `header` in a table. */
export interface Column<Row> {
  readonly name: string;
  readonly header: string;
  value(row: Row): string | boolean;
  /** The cell of the plain table, where it shows more than the field. */
  cell?(row: Row): string;
  /** Left out of `--format json` and tables: a method that takes an argument (`{{.Label "zone"}}`). */
  readonly method?: (row: Row, argument: unknown) => string;
}

/** How one kind of object is listed. */
export interface Listing<Row> {
  readonly columns: readonly Column<Row>[];
  /** Names of the columns of the plain table. */
  readonly table: readonly string[];
  /** What `--quiet` shows of each. */
  id(row: Row): string;
}

export const listFormatFlag = text(
  'format',
  "Format output using a custom template:\n'table':            Print output in table format with column headers (default)\n" +
    "'table TEMPLATE':   Print output in table format using the given Go template\n'json':             Print in JSON format\n" +
    "'TEMPLATE':         Print output using the given Go template.\n" +
    'Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates',
);
export const quietFlag = onOff('quiet', 'Only display IDs', { short: 'q' });

/** The rows as `--format` and `--quiet` ask for. Throws `CliError` for a template that cannot be read or run. */
export async function formatList<Row>(
  listing: Listing<Row>,
  rows: readonly Row[],
  values: Values,
  fallback = '',
): Promise<string> {
  const asked = values.get(listFormatFlag) ?? fallback;
  if (values.get(quietFlag)) {
    if (asked === '' || asked === 'table') return rows.map((row) => `${listing.id(row)}\n`).join('');
    if (asked.startsWith('table ')) return templated(listing, rows, '{{.ID}}');
  }
  if (asked === '' || asked === 'table') return plainTable(listing, rows);
  if (asked === 'json') return rows.map((row) => `${JSON.stringify(fieldsOf(listing, row))}\n`).join('');
  const table = /^table\s+(.*)$/s.exec(asked);
  return table === null ? templated(listing, rows, asked) : templatedTable(listing, rows, table[1]!);
}

function plainTable<Row>(listing: Listing<Row>, rows: readonly Row[]): string {
  const columns = listing.table.map((name) => listing.columns.find((column) => column.name === name)!);
  return alignTable([
    columns.map((column) => column.header),
    ...rows.map((row) => columns.map((column) => oneLine(column.cell?.(row) ?? String(column.value(row))))),
  ]);
}

async function templated<Row>(listing: Listing<Row>, rows: readonly Row[], source: string): Promise<string> {
  const template = await readTemplate(source);
  return rows.map((row) => `${template(methodsOf(listing, row))}\n`).join('');
}

/** Cells are what tabs in the template set apart. Headers are the template run on the names of the columns. */
async function templatedTable<Row>(listing: Listing<Row>, rows: readonly Row[], source: string): Promise<string> {
  const template = await readTemplate(source);
  const headerTemplate = await readTemplate(source, {
    json: (value) => value,
    split: (value) => value,
    join: (value) => value,
    title: (value) => value,
    lower: (value) => value,
    upper: (value) => value,
    truncate: (value) => value,
    pad: (value) => value,
    println: (...parts) => parts.join(' '),
  });
  const headers = Object.fromEntries(
    listing.columns.map((column) => [
      column.name,
      column.method === undefined ? column.header : (argument: unknown) => String(argument),
    ]),
  );
  const lines = [headerTemplate(headers), ...rows.map((row) => template(methodsOf(listing, row)))];
  return alignTable(lines.map((line) => line.split('\t')));
}

function fieldsOf<Row>(listing: Listing<Row>, row: Row): Record<string, string | boolean> {
  const plain = listing.columns.filter((column) => column.method === undefined);
  const pairs = plain.map((column) => [column.name, column.value(row)] as const);
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function methodsOf<Row>(listing: Listing<Row>, row: Row): Record<string, unknown> {
  const fields: Record<string, unknown> = fieldsOf(listing, row);
  for (const { name, method } of listing.columns) {
    if (method !== undefined) fields[name] = (argument: unknown) => method(row, argument);
  }
  return fields;
}

/**
 * A `--format` template ready to run, with Docker's functions. `\t` and `\n` in it are a tab and a new line.
 * Loads the engine when called: most commands format nothing.
 */
export async function readTemplate(
  source: string,
  functions: Readonly<Record<string, (...args: unknown[]) => unknown>> = {},
): Promise<(data: unknown) => string> {
  const { dockerFunctions, Template } = await import('../../template/index.js');
  const parsed = told(
    () => new Template(source.replaceAll('\\t', '\t').replaceAll('\\n', '\n'), { ...dockerFunctions, ...functions }),
  );
  return (data) =>
    told(
      () => parsed.run(data),
      () => {
        const names = typeof data === 'object' && data !== null ? Object.keys(data).sort() : [];
        return names.length === 0 ? '' : `\nFields: ${names.map((name) => `.${name}`).join(' ')}`;
      },
    );
}

function told<T>(work: () => T, hint: () => string = () => ''): T {
  try {
    return work();
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    throw new CliError(`template parsing error: ${message}${message.includes('no entry for key') ? hint() : ''}`, {
      cause: thrown,
    });
  }
}
