import assert from 'node:assert/strict';
import { Ending, endingParts } from '../../../src/network/kernel/last-answer.js';
import { rulesFor } from '../../../src/network/kernel/rules.js';
import { renderChange } from '../../../src/network/kernel/ruleset.js';
import { ManualClock } from '../../helpers/manual-clock.js';

const to = (taskID: string, isOpaque = false) => ({ taskID, isOpaque });

/** What the rules make of a packet's payload, as the kernel reads them. */
function afterRules(payload: string): string {
  const { chains } = endingParts(new Set(['tcp 172.17.0.2 80']));
  const bytes = Buffer.from(payload, 'latin1');
  const read = (from: string, size: string) => bytes.subarray(Number(from) / 8, (Number(from) + Number(size)) / 8);
  const masked = (is: Buffer, mask: string) =>
    is.map((byte, at) => byte & Number.parseInt(mask.slice(2 * at, 2 * at + 2), 16));
  const has = (rule: string) =>
    [...rule.matchAll(/@ih,(\d+),(\d+)(?: & 0x([0-9a-f]+))? == 0x([0-9a-f]+)/g)].every(
      ([, from = '', size = '', mask = 'f'.repeat(256), value]) =>
        Buffer.from(masked(read(from, size), mask)).toString('hex') === value,
    );
  if (!chains.get('ending')!.rules.some(has)) return payload;
  const rule = chains.get('last_answer')!.rules.find(has);
  const [, from = '', size = '', hex = ''] = /@ih,(\d+),(\d+) set 0x([0-9a-f]+) accept$/.exec(rule ?? '') ?? [];
  if (rule !== undefined) read(from, size).set(Buffer.from(hex, 'hex'));
  return bytes.toString('latin1');
}

const answer = (...headers: string[]) => `HTTP/1.1 200 OK\r\n${headers.map((one) => `${one}\r\n`).join('')}\r\nbody`;

describe('the last answer on a kept connection through the kernel', () => {
  it('says that it is the last, wherever the server says the contrary', () => {
    for (let length = 0; length < 300; length++) {
      const [before, after] = [`X: ${'x'.repeat(length)}`, 'Content-Length: 4'];
      const close = 'close     ';
      for (const name of ['Connection', 'connection']) {
        for (const said of ['keep-alive', 'Keep-Alive']) {
          assert.equal(
            afterRules(answer(before, `${name}: ${said}`, after)),
            answer(before, `${name}: ${close}`, after),
          );
        }
      }
    }
  });

  it('is one of HTTP/1.0 where the server only says how long it is', () => {
    for (let length = 0; length < 300; length++) {
      const text = answer(`X: ${'x'.repeat(length)}`, 'content-length: 4');
      assert.equal(afterRules(text), text.replace('HTTP/1.1', 'HTTP/1.0'));
    }
  });

  it('is left alone when it says so itself or is in chunks, and so is what is no answer', () => {
    const texts = [
      answer('Transfer-Encoding: chunked'),
      answer('Upgrade: websocket', 'Connection: Upgrade'),
      answer(`X: ${'x'.repeat(400)}`, 'Content-Length: 4'),
      'HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody',
      'body that says\r\nConnection: keep-alive\r\nContent-Length: 4\r\n',
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    ];
    for (const text of texts) assert.equal(afterRules(text), text);
  });

  it('changes bytes from even places on, as checksums need it', () => {
    const { chains } = endingParts(new Set(['10.0.1.2']));
    const changes = chains.get('last_answer')!.rules.map((rule) => /@ih,(\d+),\d+ set/.exec(rule)?.[1]);
    assert.equal(changes.length, 2 * 384);
    for (const change of changes) assert.equal(Number(change) % 16, 0);
  });

  it('is made so where the rules led lately: for a minute, not of UDP, not of opaque services, not where they lead again', async () => {
    const clock = new ManualClock();
    const ending = new Ending(clock);
    const before = new Map([
      ['tcp 172.17.0.2 80', to('a')],
      ['udp 172.17.0.2 53', to('a')],
      ['tcp 172.17.0.3 80', to('b', true)],
      ['10.0.1.2', to('c')],
      ['10.0.1.3', to('d')],
    ]);
    const after = new Map([['10.0.1.3', to('d')]]);
    assert.deepEqual([...ending.replaced(before, after)], ['tcp 172.17.0.2 80', '10.0.1.2']);
    assert.deepEqual([...ending.replaced(after, new Map([['10.0.1.2', to('e')]]))], ['tcp 172.17.0.2 80', '10.0.1.3']);
    await clock.advance(60_000);
    assert.deepEqual([...ending.replaced(new Map(), new Map())], []);
  });

  it('costs no rule while nobody leaves, and what it needs is taken away in an order that the kernel allows', () => {
    const rules = (ending: string[]) =>
      rulesFor({ peers: new Map(), networks: new Map(), services: new Map() }, 'me', [], {
        routes: [],
        publishAddress: '',
        inside: new Map(),
        starting: new Set(),
        ending: new Set(ending),
        engineBridges: [],
      });
    const [none, some] = [rules([]), rules(['tcp 172.17.0.2 80', '10.0.1.2'])];
    assert.deepEqual([none.chains.has('ending'), none.chains.has('last_answer')], [false, false]);
    const come = renderChange(none, some).split('\n');
    assert.match(come[0]!, /^add chain/);
    assert.match(come[1]!, /^add chain/);
    assert.ok(come.includes('add element ip shoal ending_ports { 172.17.0.2 . 80 }'), come.join('\n').slice(-500));
    const actions = renderChange(some, none)
      .split('\n')
      .filter((line) => line.includes('chain'))
      .map((line) => line.split(' ')[0]);
    assert.deepEqual(actions, ['flush', 'flush', 'delete', 'delete']);
  });
});
