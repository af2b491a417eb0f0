const cell_min_columns = 10;
const gap_columns = 3;

/** Rows as Docker aligns them: every column as wide as its widest cell and three more, at least ten. */
export function alignTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    // The last cell of a row is never padded, so it does not widen its column.
    for (const [at, cell] of row.slice(0, -1).entries()) {
      widths[at] = Math.max(widths[at] ?? cell_min_columns, widthOf(cell) + gap_columns);
    }
  }
  return rows
    .map((row) =>
      row.map((cell, at) => (at === row.length - 1 ? cell : cell + ' '.repeat(widths[at]! - widthOf(cell)))).join(''),
    )
    .map((line) => `${line}\n`)
    .join('');
}

function widthOf(cell: string): number {
  return [...cell].length;
}

/** What comes from the cluster may hold control characters; a terminal must not obey them. */
export function oneLine(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ');
}

/** At most `length` characters, the last of them `…` when some are left out. */
export function ellipsis(text: string, length: number): string {
  const points = [...text];
  return points.length <= length ? text : `${points.slice(0, Math.max(0, length - 1)).join('')}…`;
}
