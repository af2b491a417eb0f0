/** What a terminal shows after `output`: its lines. */
export function play(output: string): string[] {
  const lines: string[] = [''];
  let row = 0;
  let column = 0;
  for (const part of output.split(/(\n|\r|\x1b\[\d+[AB]|\x1b\[2K)/)) {
    const move = /^\x1b\[(\d+)([AB])$/.exec(part);
    if (move !== null) row += move[2] === 'A' ? -Number(move[1]) : Number(move[1]);
    else if (part === '\r') column = 0;
    else if (part === '\x1b[2K') lines[row] = '';
    else if (part === '\n') {
      row++;
      column = 0;
      lines[row] ??= '';
    } else if (part !== '') {
      lines[row] = (lines[row] ?? '').slice(0, column).padEnd(column) + part;
      column += part.length;
    }
  }
  return lines.filter((line) => line !== '');
}
