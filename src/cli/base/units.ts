/** Durations, sizes and parts of a processor as Docker's command line writes and reads them. */

const durationUnits_ns: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const duration_ns_max = 2 ** 63 - 1024; // the greatest double that fits the API's 64 bits

/** Nanoseconds of a Go duration such as `1h2m3.5s` or `-5ms`. Throws on anything else, and beyond 292 years. */
export function parseDuration(text: string): number {
  const invalid = () =>
    new Error(
      `invalid duration ${JSON.stringify(text)}: use a number with a unit (ns, us, ms, s, m, h), such as 1m30s`,
    );
  const signed = /^([-+]?)(.*)$/s.exec(text)!;
  let rest = signed[2]!;
  if (rest === '0') return 0;
  if (rest === '') throw invalid();
  let total_ns = 0;
  while (rest !== '') {
    const part = /^(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/.exec(rest);
    if (part === null) throw invalid();
    total_ns += Number(part[1]) * durationUnits_ns[part[2]!]!;
    rest = rest.slice(part[0].length);
  }
  total_ns = Math.trunc(total_ns);
  if (total_ns > duration_ns_max) throw new Error(`duration ${JSON.stringify(text)} is too long: the most is 2562047h`);
  return signed[1] === '-' ? 0 - total_ns : total_ns;
}

/** A duration as Go prints it: `1h0m0s`, `1m30s`, `500ms`, `0s`. */
export function formatDuration(duration_ns: number): string {
  if (duration_ns === 0) return '0s';
  if (duration_ns < 0) return `-${formatDuration(-duration_ns)}`;
  if (duration_ns < 1e3) return `${duration_ns}ns`;
  if (duration_ns < 1e6) return `${trimmed(duration_ns / 1e3)}µs`;
  if (duration_ns < 1e9) return `${trimmed(duration_ns / 1e6)}ms`;
  const minutes = Math.floor(duration_ns / 60e9);
  const seconds = `${trimmed((duration_ns - minutes * 60e9) / 1e9)}s`;
  if (minutes === 0) return seconds;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes}m${seconds}` : `${hours}h${minutes % 60}m${seconds}`;
}

function trimmed(value: number): string {
  return String(Number(value.toFixed(9)));
}

const sizeUnits = ['', 'k', 'm', 'g', 't', 'p'];

/** Bytes of a size such as `512m`, `1.5GiB` or `100` (units are powers of 1024, as Docker's). Throws on anything else. */
export function parseBytes(text: string): number {
  const parts = /^(\d+(?:\.\d*)?|\.\d+) ?([kmgtp])?(?:i?b)?$/i.exec(text);
  if (parts === null) throw new Error(`invalid size: '${text}': use bytes, or a number with b, k, m, g, t or p`);
  const bytes = Math.trunc(Number(parts[1]) * 1024 ** sizeUnits.indexOf((parts[2] ?? '').toLowerCase()));
  if (!Number.isSafeInteger(bytes)) throw new Error(`size '${text}' is too large: the most is 8p`);
  return bytes;
}

/** Bytes in the unit that fits, four digits: `512MiB`, `1.5GiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}

/** Billionths of a processor of a number such as `0.5` or `1/4`. Throws for less than a billionth, and for anything else. */
export function parseCpus(text: string): number {
  const parts = /^([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?:\/(\d+))?$/.exec(text);
  if (parts === null || parts[2] === '0')
    throw new Error(`failed to parse ${text} as a rational number: use processors, such as 0.5`);
  const nano = (Number(parts[1]) * 1e9) / Number(parts[2] ?? 1);
  if (nano < 0) throw new Error(`${text} processors: the number must not be negative`);
  const whole = Math.round(nano);
  if (Math.abs(nano - whole) > 1e-3)
    throw new Error('value is too precise: the least part is 0.000000001 of a processor');
  if (!Number.isSafeInteger(whole)) throw new Error(`${text} processors are too many`);
  return whole;
}

/** Processors of their billionths: `0.5`. */
export function formatCpus(nano: number): string {
  return trimmed(nano / 1e9);
}

/** A whole number from `min` to `max`, written in digits. Throws on anything else. */
export function parseInteger(text: string, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
  const value = /^[-+]?\d{1,20}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw new Error(`${JSON.stringify(text)} is not a whole number`);
  if (value < min || value > max) throw new Error(`${text} is out of range: use ${min} to ${max}`);
  return value + 0; // never -0
}

/** How long ago in Docker's rough words: `5 seconds`, `About a minute`, `3 weeks`. */
export function roughly(duration_ms: number): string {
  const seconds = Math.trunc(duration_ms / 1000);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(duration_ms / 3_600_000);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  const days = Math.trunc(hours / 24);
  if (hours < 24 * 7 * 2) return `${days} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(days / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(days / 30)} months`;
  return `${Math.trunc(days / 365)} years`;
}

/** `roughly` between a time of the API and now, with `ago`; a time that is not set is empty. */
export function ago(time: string | undefined, now_ms: number): string {
  const since = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(since) ? '' : `${roughly(Math.max(0, now_ms - since))} ago`;
}
