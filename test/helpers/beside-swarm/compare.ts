import type { Outcome, Side } from './side.js';

/** What a line gave, without what cannot be the same twice: ids, times, tokens, which host it was. */
export interface Shape {
  code: number;
  /** Parsed where it is JSON, else its lines. */
  stdout: unknown;
  stderr: unknown;
}

export function shapeOf(side: Side, { code, stdout, stderr }: Outcome): Shape {
  return { code, stdout: shapeOfText(side, stdout), stderr: shapeOfText(side, stderr) };
}

function shapeOfText(side: Side, text: string): unknown {
  const plain = normalised(side, text);
  if (/^\s*[[{]/.test(plain)) {
    try {
      return JSON.parse(plain, inOrder);
    } catch {
      // a table or a message that begins so
    }
  }
  const lines = plain
    .split('\n')
    .map((line) => line.trim().replace(/\s{2,}/g, '  '))
    .filter((line) => line !== '' && !/^(overall progress:|\d+\/\d+:|verify:|\w{25}: )/.test(line));
  // `stack` goes through its objects in the order of a Go map.
  return lines.every((line) => /^(Creating|Updating|Removing) /.test(line)) ? lines.sort() : lines;
}

/** Docker tells a node's generic resources, and a task's, in the order of a Go map. */
function inOrder(_key: string, value: unknown): unknown {
  if (
    !Array.isArray(value) ||
    !value.every((one) => isMap(one) && /^(Named|Discrete)Res/.test(Object.keys(one).join()))
  )
    return value;
  return value
    .map((one) => [JSON.stringify(one), one])
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, one]) => one);
}

function normalised(side: Side, text: string): string {
  const replaced: readonly (readonly [RegExp | string, string])[] = [
    [/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g, 'PEM'],
    [/SWMTKN-1-\w+-\w+/g, 'TOKEN'],
    [/SWMKEY-1-[\w+/]+/g, 'KEY'],
    [side.A.name, 'HOST-A'],
    [side.B.name, 'HOST-B'],
    [side.A.address, 'ADDRESS-A'],
    [side.B.address, 'ADDRESS-B'],
    [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|\+0000|\+00:00)( UTC|utc)?)?/g, 'TIME'],
    [/(less than a second|about an? \w+|\d+ \w+) ago/gi, 'AGO'],
    [/\b[0-9a-f]{64}\b/g, 'HASH'],
    [/\b(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{25}\b/g, 'ID'],
    [/\b(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{12}\b/g, 'ID'],
    [/^[a-z]{12}(?=\s|$)/gm, 'ID'], // one in fifty has no digit
    [/"Index": ?\d+/g, '"Index": 0'],
    [/\bMFkw[\w+/=]+/g, 'PUBLIC-KEY'],
  ];
  return replaced.reduce((rest, [from, to]) => rest.replaceAll(from, to), text);
}

/** The places where two shapes differ, as `path: theirs ≠ ours`. */
export function differences(theirs: unknown, ours: unknown, path = ''): string[] {
  if (isMap(theirs) && isMap(ours)) {
    const keys = new Set([...Object.keys(theirs), ...Object.keys(ours)]);
    return [...keys].flatMap((key) => differences(theirs[key], ours[key], path === '' ? key : `${path}.${key}`));
  }
  if (Array.isArray(theirs) && Array.isArray(ours) && theirs.length === ours.length) {
    return theirs.flatMap((one, at) => differences(one, ours[at], `${path}[${at}]`));
  }
  const [left, right] = [JSON.stringify(theirs), JSON.stringify(ours)];
  return left === right ? [] : [`${path}: ${left} ≠ ${right}`];
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
