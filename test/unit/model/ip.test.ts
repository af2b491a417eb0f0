import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import {
  addressIn,
  contains,
  familyOf,
  formatBlock,
  formatIP,
  lastOf,
  overlap,
  parseCIDR,
  parseIP,
  prefixOf,
} from '../../../src/model/ip.js';

describe('addresses of both families', () => {
  it('are read and written as the kernel writes them', () => {
    for (const [text, written] of [
      ['10.0.0.1', '10.0.0.1'],
      ['FD00:0:0::0001', 'fd00::1'],
      ['::', '::'],
      ['::1', '::1'],
      ['1::', '1::'],
      ['fd00:0:0:1:0:0:0:1', 'fd00:0:0:1::1'],
      ['fd00:0:0:1:1:0:0:1', 'fd00::1:1:0:0:1'],
      ['fd00:1:0:1:1:1:1:1', 'fd00:1:0:1:1:1:1:1'],
      ['2001:db8::10.0.0.1', '2001:db8::a00:1'],
    ] as const) {
      assert.equal(formatIP(parseIP(text)!), written);
    }
    for (const text of [
      '',
      '10.0.0',
      '10.0.0.01',
      '10.0.0.256',
      ':',
      '1::2::3',
      'fe80::1%eth0',
      '::ffff:10.0.0.1',
      '12345::',
      'x',
    ]) {
      assert.equal(parseIP(text), undefined, text);
    }
  });

  it('come back as they went, and are what the platform takes for addresses', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const address = parseIP(text);
        if (address === undefined) return text.toLowerCase().includes('ffff');
        assert.ok(isIPv6(formatIP(address)));
        assert.equal(parseIP(formatIP(address)), address);
        // What a URL has in brackets is written by the same rule (RFC 5952) elsewhere.
        assert.equal(formatIP(address), new URL(`http://[${text}]/`).hostname.slice(1, -1));
        return true;
      }),
    );
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        assert.equal(formatIP(parseIP(text)!), text);
        assert.equal(familyOf(parseIP(text)!), 4);
      }),
    );
  });

  it('are in blocks, which overlap those of their own family alone', () => {
    const block = (text: string) => parseCIDR(text)!.block;
    assert.deepEqual(['10.0.0.0/8', 'fd00::/64', '10.1.2.3/32'].map(block).map(formatBlock), [
      '10.0.0.0/8',
      'fd00::/64',
      '10.1.2.3/32',
    ]);
    assert.equal(formatBlock(block('fd00:1:2:3:4::5/64')), 'fd00:1:2:3::/64');
    assert.equal(formatIP(lastOf(block('fd00::/64'))), 'fd00::ffff:ffff:ffff:ffff');
    assert.equal(formatIP(lastOf(block('10.0.0.0/28'))), '10.0.0.15');
    assert.equal(prefixOf(block('10.0.0.0/28')), 28);
    assert.ok(contains(block('fd00::/64'), parseIP('fd00::5')!));
    assert.ok(!contains(block('fd00::/64'), parseIP('fd00:0:0:1::5')!));
    assert.ok(overlap(block('fd00::/48'), block('fd00:0:0:9::/64')));
    assert.ok(!overlap(block('0.0.0.0/0'), block('fd00::/8')));
    for (const text of ['10.0.0.0/33', 'fd00::/129', 'fd00::', '/64', 'fd00::/064', '::ffff:10.0.0.0/104']) {
      assert.equal(parseCIDR(text), undefined, text);
    }
    assert.deepEqual(['fd00::5/64', '10.0.0.5/24', 'x'].map(addressIn), ['fd00::5', '10.0.0.5', '']);
  });
});
