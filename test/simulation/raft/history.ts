import assert from 'node:assert/strict';

/** What clients did and saw: appends to one list, and reads of it. */
interface Append {
  text: string;
  start_ms: number;
  /** `unknown`: it may be in the list or not. */
  outcome: 'acknowledged' | 'refused' | 'unknown';
  end_ms: number;
  /** Its place in the list, from 1 on. */
  place: number;
}
interface Read {
  start_ms: number;
  end_ms: number;
  length: number;
}

/**
 * Checks that all clients together saw one list that only ever grew, as if every operation had happened at one moment between its
 * start and its end (linearizability). The list itself gives the order, so it is enough that no operation that ended before another
 * began comes after it.
 */
export class History {
  private readonly appends: Append[] = [];
  private readonly reads: Read[] = [];
  acknowledged = 0;

  began(text: string, start_ms: number): Append {
    const append: Append = { text, start_ms, outcome: 'unknown', end_ms: Number.POSITIVE_INFINITY, place: 0 };
    this.appends.push(append);
    return append;
  }

  ended(append: Append, end_ms: number, outcome: 'acknowledged' | 'refused' | 'unknown', place = 0): void {
    append.end_ms = outcome === 'acknowledged' ? end_ms : Number.POSITIVE_INFINITY;
    append.outcome = outcome;
    append.place = place;
    if (outcome === 'acknowledged') this.acknowledged++;
  }

  read(start_ms: number, end_ms: number, length: number): void {
    this.reads.push({ start_ms, end_ms, length });
  }

  get readCount(): number {
    return this.reads.length;
  }

  /** `list`: as it is in the end. */
  check(list: readonly string[]): void {
    const places = new Map<string, number>();
    list.forEach((text, at) => {
      assert.ok(!places.has(text), `${text} is in the list twice`);
      places.set(text, at + 1);
    });
    const points: { start_ms: number; end_ms: number; low: number; high: number; what: string }[] = [];
    for (const append of this.appends) {
      const place = places.get(append.text);
      places.delete(append.text);
      if (append.outcome === 'refused') assert.equal(place, undefined, `${append.text} was refused and is there`);
      if (append.outcome === 'acknowledged') assert.equal(place, append.place, `${append.text} was acknowledged`);
      if (place === undefined) continue;
      const { start_ms, end_ms } = append;
      points.push({ start_ms, end_ms, low: place - 1, high: place, what: `append ${append.text}` });
    }
    assert.deepEqual([...places.keys()], [], 'there is something that nobody appended');
    for (const { start_ms, end_ms, length } of this.reads) {
      points.push({ start_ms, end_ms, low: length, high: length, what: `read of ${length}` });
    }
    checkOrder(points);
  }
}

/** Whatever began after an operation ended finds at least the length that it left. */
function checkOrder(points: { start_ms: number; end_ms: number; low: number; high: number; what: string }[]): void {
  const byStart = [...points].sort((left, right) => left.start_ms - right.start_ms);
  const byEnd = points
    .filter((point) => point.end_ms < Number.POSITIVE_INFINITY)
    .sort((left, right) => left.end_ms - right.end_ms);
  let ended = 0;
  let longest = { high: 0, what: '' };
  for (const point of byStart) {
    for (; ended < byEnd.length && (byEnd[ended] as { end_ms: number }).end_ms < point.start_ms; ended++) {
      const before = byEnd[ended] as { high: number; what: string };
      if (before.high > longest.high) longest = before;
    }
    assert.ok(point.low >= longest.high, `${point.what} began after ${longest.what} had ended, and did not see it`);
  }
}
