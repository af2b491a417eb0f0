import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import {
  advertiseAddress,
  dataPathAddress,
  type Interfaces,
  listenAddress,
  remoteAddresses,
} from '../../../src/daemon/addresses.js';

const at = (address: string, internal = false): NetworkInterfaceInfo =>
  ({ address, internal, family: address.includes(':') ? 'IPv6' : 'IPv4' }) as NetworkInterfaceInfo;

const lo = { lo: [at('127.0.0.1', true), at('::1', true)] };
const one: Interfaces = {
  ...lo,
  eth0: [at('10.0.0.5'), at('fe80::1'), at('2001:db8::5')],
  docker0: [at('172.17.0.1')],
};
const two: Interfaces = { ...lo, eth0: [at('10.0.0.5')], eth1: [at('192.168.1.5')] };
const twins: Interfaces = { ...lo, eth0: [at('10.0.0.5'), at('10.0.0.6')] };
const setting = '0.0.0.0:2377';
const everywhere = { host: '0.0.0.0', port: 2377 };

describe("this node's addresses", () => {
  it('are what was asked for, else what the daemon was told', () => {
    assert.deepEqual(listenAddress('', setting, one), everywhere);
    assert.deepEqual(listenAddress('0.0.0.0:2377', '127.0.0.2:4000', one), { host: '127.0.0.2', port: 4000 });
    assert.deepEqual(listenAddress('10.0.0.5', setting, one), { host: '10.0.0.5', port: 2377 });
    assert.deepEqual(listenAddress('eth0:3000', setting, one), { host: '10.0.0.5', port: 3000 });
    assert.deepEqual(listenAddress('[2001:db8::5]:3000', setting, one), { host: '2001:db8::5', port: 3000 });
    for (const bad of ['nowhere', '10.0.0.5:x', '10.0.0.5:70000', 'a:b:c', '300.1.1.1']) {
      assert.throws(
        () => listenAddress(bad, setting, one),
        /listen address must be an IP address or network interface/,
      );
    }
  });

  it('have a port that others can know', () => {
    assert.throws(() => listenAddress('[::1]:0', setting, one), {
      message: 'the port must be from 1 to 65535 (ListenAddr)',
    });
    assert.throws(() => listenAddress('', '127.0.0.1:0', one), /ListenAddr/);
    assert.throws(() => advertiseAddress('10.0.0.5:0', '', everywhere, one), /from 1 to 65535 \(AdvertiseAddr\)/);
  });

  it('are told to others: asked for, or the one that is there', () => {
    assert.deepEqual(advertiseAddress('', '', everywhere, one), { host: '10.0.0.5', port: 2377 });
    assert.deepEqual(advertiseAddress('eth1', '', everywhere, two), { host: '192.168.1.5', port: 2377 });
    assert.deepEqual(advertiseAddress('', '10.9.9.9:5000', everywhere, one), { host: '10.9.9.9', port: 5000 });
    assert.deepEqual(advertiseAddress('', '', { host: '127.0.0.3', port: 4 }, two), { host: '127.0.0.3', port: 4 });
    assert.deepEqual(advertiseAddress('', '', everywhere, two, '192.168.1.5'), { host: '192.168.1.5', port: 2377 });
    for (const bad of ['0.0.0.0', '::', 'nowhere', 'lo0:1']) {
      assert.throws(
        () => advertiseAddress(bad, '', everywhere, one),
        /advertise address must be a non-zero IP address/,
      );
    }
  });

  it("are asked for in Docker's words when there is no one answer", () => {
    assert.throws(() => advertiseAddress('', '', everywhere, two), {
      message:
        'could not choose an IP address to advertise since this system has multiple addresses on different interfaces (10.0.0.5 on eth0 and 192.168.1.5 on eth1) - specify one with --advertise-addr',
    });
    assert.throws(() => advertiseAddress('', '', everywhere, twins), {
      message:
        'could not choose an IP address to advertise since this system has multiple addresses on interface eth0 (10.0.0.5 and 10.0.0.6) - specify one with --advertise-addr',
    });
    assert.throws(() => advertiseAddress('', '', everywhere, lo), /could not find the system's IP address/);
    assert.throws(
      () => advertiseAddress('eth0', '', everywhere, twins),
      /interface eth0 has more than one IPv4 address/,
    );
  });

  it('of managers to join are names or addresses, with Docker’s port unless it is said', () => {
    assert.deepEqual(remoteAddresses(['10.0.0.1', 'tcp://manager.example:999', '[::1]:2378', '2001:db8::5']), [
      { host: '10.0.0.1', port: 2377 },
      { host: 'manager.example', port: 999 },
      { host: '::1', port: 2378 },
      { host: '2001:db8::5', port: 2377 },
    ]);
    for (const bad of ['', 'http://x/y', 'a b', 'x:0', 'x:99999', 'x:y', '-x', '[x]', 'é', 'x'.repeat(300), '::1:x']) {
      assert.throws(() => remoteAddresses(['ok', bad]), /^ShoalError: RemoteAddrs\[1\]: must be HOST/, bad);
    }
  });

  it('for the data path are addresses or interfaces', () => {
    assert.equal(dataPathAddress('', one), '');
    assert.equal(dataPathAddress('eth0', one), '10.0.0.5');
    assert.throws(() => dataPathAddress('fd00::1', one), { code: 'not-supported', message: /over IPv4: fd00::1/ });
    assert.throws(() => dataPathAddress('eth9', one), /must specify a valid IP address or interface name/);
  });
});
