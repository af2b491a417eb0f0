import { printNested, typeOf } from './values.js';

const width_max = 10_000;
const verb = /%([-+# 0]*)(\*|\d+)?(?:\.(\d+))?([a-zA-Z%])|%/g;

/** Go's Sprintf for the verbs that templates use: %s %q %v %d %t %f %e %g %x %X %o %b %c %%, with flags, width and precision. */
export function sprintf(format: string, args: readonly unknown[]): string {
  let at = 0;
  const text = format.replace(verb, (whole, flags?: string, width?: string, precision?: string, letter?: string) => {
    if (letter === '%') return '%';
    if (letter === undefined || width === '*') return `%!${whole.slice(1)}(NOVERB)`;
    if (at >= args.length) return `%!${letter}(MISSING)`;
    const arg = args[at++];
    if (Number(width ?? 0) > width_max || Number(precision ?? 0) > 100) return `%!(BADWIDTH)`;
    const body = verbText(letter, arg, precision === undefined ? undefined : Number(precision), flags ?? '');
    return pad(body, flags ?? '', Number(width ?? 0), typeof arg === 'number');
  });
  const extra = args.slice(at).map((arg) => `${typeOf(arg)}=${printNested(arg, 0)}`);
  return extra.length === 0 ? text : `${text}%!(EXTRA ${extra.join(', ')})`;
}

function verbText(letter: string, arg: unknown, precision: number | undefined, flags: string): string {
  const bad = () => `%!${letter}(${typeOf(arg)}=${printNested(arg, 0)})`;
  const signed = (text: string) => (flags.includes('+') && Number(arg) >= 0 ? `+${text}` : text);
  switch (letter) {
    case 'v':
      return typeof arg === 'number' ? signed(printNested(arg, 0)) : printNested(arg, 0);
    case 's':
      if (typeof arg === 'number' || typeof arg === 'boolean') return bad();
      return [...printNested(arg, 0)].slice(0, precision).join('');
    case 'q':
      return typeof arg === 'string' ? JSON.stringify(arg) : bad();
    case 't':
      return typeof arg === 'boolean' ? String(arg) : bad();
    case 'd':
      return isWhole(arg) ? signed(BigInt(arg).toString()) : bad();
    case 'x':
    case 'X': {
      const hex =
        typeof arg === 'string' ? Buffer.from(arg).toString('hex') : isWhole(arg) ? BigInt(arg).toString(16) : bad();
      return letter === 'X' ? hex.toUpperCase() : hex;
    }
    case 'o':
      return isWhole(arg) ? BigInt(arg).toString(8) : bad();
    case 'b':
      return isWhole(arg) ? BigInt(arg).toString(2) : bad();
    case 'c':
      return isWhole(arg) && arg >= 0 && arg <= 0x10ffff ? String.fromCodePoint(arg) : bad();
    case 'f':
    case 'F':
      return typeof arg === 'number' ? signed(arg.toFixed(precision ?? 6)) : bad();
    case 'e':
      return typeof arg === 'number'
        ? signed(arg.toExponential(precision ?? 6).replace(/e([-+])(\d)$/, 'e$10$2'))
        : bad();
    case 'g':
      return typeof arg === 'number'
        ? signed(String(precision === undefined ? arg : Number(arg.toPrecision(precision || 1))))
        : bad();
    default:
      return bad();
  }
}

function isWhole(arg: unknown): arg is number {
  return Number.isInteger(arg);
}

function pad(text: string, flags: string, width: number, isNumber: boolean): string {
  const length = [...text].length;
  if (length >= width) return text;
  const fill = width - length;
  if (flags.includes('-')) return text + ' '.repeat(fill);
  if (flags.includes('0') && isNumber) {
    const sign = /^[-+]/.exec(text)?.[0] ?? '';
    return sign + '0'.repeat(fill) + text.slice(sign.length);
  }
  return ' '.repeat(fill) + text;
}
