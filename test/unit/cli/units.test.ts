import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  ago,
  formatBytes,
  formatDuration,
  parseBytes,
  parseCpus,
  parseDuration,
  parseInteger,
  roughly,
} from '../../../src/cli/base/units.js';

describe('units', () => {
  it('reads durations as Go writes them', () => {
    const cases: [string, number][] = [
      ['0', 0],
      ['1h2m3s', 3723e9],
      ['1.5s', 1.5e9],
      ['.5s', 0.5e9],
      ['5ms', 5e6],
      ['10us', 10e3],
      ['10µs', 10e3],
      ['7ns', 7],
      ['-1m', -60e9],
      ['+1m', 60e9],
      ['1m1m', 120e9],
      ['2160h', 7_776_000e9],
    ];
    for (const [text, value_ns] of cases) assert.equal(parseDuration(text), value_ns, text);
  });

  it('refuses what is no duration', () => {
    for (const text of ['', '-', '1', '1d', 's', '1 s', '1s ', 'é', '1e3s', '9999999h', '--1s', '1.2.3s', '１s']) {
      assert.throws(() => parseDuration(text), Error, text);
    }
  });

  it('writes durations as it reads them', () => {
    assert.equal(formatDuration(3600e9), '1h0m0s');
    assert.equal(formatDuration(90e9), '1m30s');
    assert.equal(formatDuration(1.5e6), '1.5ms');
    assert.equal(formatDuration(0), '0s');
    fc.assert(
      fc.property(fc.integer({ min: -1e15, max: 1e15 }), (value_ns) => {
        assert.equal(parseDuration(formatDuration(value_ns)), value_ns);
      }),
    );
  });

  it('reads sizes in powers of 1024', () => {
    const cases: [string, number][] = [
      ['0', 0],
      ['100', 100],
      ['100b', 100],
      ['1k', 1024],
      ['512m', 536_870_912],
      ['512M', 536_870_912],
      ['1.5g', 1_610_612_736],
      ['1GiB', 1_073_741_824],
      ['1 gb', 1_073_741_824],
      ['1t', 1_099_511_627_776],
    ];
    for (const [text, bytes] of cases) assert.equal(parseBytes(text), bytes, text);
    for (const text of ['', 'm', '-1', '-1m', '1x', '1mm', '1e3', '9999999999p', '1,5g', '∞', 'NaN']) {
      assert.throws(() => parseBytes(text), Error, text);
    }
    assert.equal(formatBytes(8.25e9), '7.683GiB');
    assert.equal(formatBytes(1023), '1023B');
  });

  it('reads parts of a processor', () => {
    const cases: [string, number][] = [
      ['0.5', 5e8],
      ['.25', 2.5e8],
      ['2', 2e9],
      ['1/4', 2.5e8],
      ['0.000000001', 1],
      ['0', 0],
    ];
    for (const [text, nano] of cases) assert.equal(parseCpus(text), nano, text);
    for (const text of ['', 'x', '-1', '0.0000000001', '1/0', '1e30', 'Infinity', '0x1', '½']) {
      assert.throws(() => parseCpus(text), Error, text);
    }
  });

  it('reads whole numbers within their bounds only', () => {
    assert.equal(parseInteger('7', 0), 7);
    assert.equal(parseInteger('-0', -1), 0);
    for (const text of ['', ' 1', '1.0', '1e3', '-1', '0x1', '99999999999999999999', '9007199254740993', '١']) {
      assert.throws(() => parseInteger(text, 0), Error, text);
    }
  });

  it('tells times as Docker does', () => {
    const cases: [number, string][] = [
      [0, 'Less than a second'],
      [1_000, '1 second'],
      [59_000, '59 seconds'],
      [60_000, 'About a minute'],
      [120_000, '2 minutes'],
      [3_600_000, 'About an hour'],
      [7_200_000, '2 hours'],
      [48 * 3_600_000, '2 days'],
      [14 * 24 * 3_600_000, '2 weeks'],
      [60 * 24 * 3_600_000, '2 months'],
      [800 * 24 * 3_600_000, '2 years'],
    ];
    for (const [duration_ms, words] of cases) assert.equal(roughly(duration_ms), words);
    assert.equal(ago('2026-05-04T11:59:55Z', Date.parse('2026-05-04T12:00:00Z')), '5 seconds ago');
    assert.equal(ago('0001', Date.parse('2026-05-04T12:00:00Z')).endsWith('years ago'), true);
    assert.equal(ago(undefined, 0), '');
    assert.equal(ago('nonsense', 0), '');
  });
});
