import type { Output } from './context.js';
import { ellipsis, oneLine } from './table.js';

export interface ProgressLine {
  readonly id: string;
  readonly text: string;
  /** How far along, on a terminal only: what moves is noise in a log. */
  readonly bar?: { readonly at: number; readonly of: number /** Then `1/3 nodes` follows. */; readonly unit?: string };
}

/** Lines that each tell how one thing goes, and are told anew as it changes. */
export interface ProgressLines {
  show(line: ProgressLine): void;
  /** Text that stays, below the lines. */
  message(text: string): void;
}

/** On a terminal every line is redrawn in its place; elsewhere a line is written when it says something new. */
export function progressLines(out: Output): ProgressLines {
  return out.isTTY ? liveLines(out) : plainLines(out);
}

export const silentLines: ProgressLines = { show: () => undefined, message: () => undefined };

function plainLines(out: Output): ProgressLines {
  const told = new Map<string, string>();
  return {
    show({ id, text, bar }) {
      if (bar !== undefined || told.get(id) === text) return;
      told.set(id, text);
      out.write(`${id}: ${oneLine(text)}\n`);
    },
    message: (text) => void out.write(`${text}\n`),
  };
}

const bar_columns_max = 50;
const default_columns = 80;

function liveLines(out: Output): ProgressLines {
  const lines: ProgressLine[] = [];
  const columns = () => out.columns || default_columns; // a terminal that was never told its size says 0
  return {
    show(line) {
      const at = lines.findIndex((each) => each.id === line.id);
      if (at < 0) {
        lines.push(line);
        out.write(`${rendered(line, columns())}\n`);
        return;
      }
      if (rendered(lines[at]!, columns()) === rendered(line, columns())) return;
      lines[at] = line;
      const up = lines.length - at;
      out.write(`\x1b[${up}A\r\x1b[2K${rendered(line, columns())}\r\x1b[${up}B`);
    },
    message: (text) => void out.write(`${text}\n`),
  };
}

/** A line of at most the terminal's width: one that wrapped would put the lines above it out of reach. */
function rendered({ id, text, bar }: ProgressLine, columns: number): string {
  const label = oneLine(`${id}: ${text}`);
  const count = bar?.unit === undefined ? '' : ` ${bar.at}/${bar.of} ${bar.unit}`;
  const room = Math.min(bar_columns_max, columns - label.length - count.length - 5);
  if (bar === undefined || room < 10) return ellipsis(`${label}${count}`, columns - 1);
  const filled = Math.min(room, Math.max(0, Math.trunc((bar.at / Math.max(bar.of, 1)) * room)));
  return `${label} [${'='.repeat(filled)}>${' '.repeat(room - filled)}]${count}`;
}
