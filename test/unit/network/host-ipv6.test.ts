import assert from 'node:assert/strict';
import { HostIPv6 } from '../../../src/network/kernel/host-ipv6.js';
import type { ForeignDevice } from '../../../src/network/kernel/observed.js';
import type { KernelTools } from '../../../src/network/kernel/tools.js';

const device = (name: string, more: Partial<ForeignDevice> = {}): ForeignDevice => ({
  name,
  isPort: false,
  isBridge: false,
  hasIPv6: true,
  ...more,
});
const devices = [device('eth0'), device('eth1'), device('eth2'), device('veth1', { isPort: true })];

describe('the machine’s own IPv6', () => {
  let settings: Map<string, string>;
  let host: HostIPv6;
  const at = (name: string, what = 'accept_ra') => settings.get(`net/ipv6/conf/${name}/${what}`);
  beforeEach(() => {
    settings = new Map();
    for (const name of ['all', 'default', 'eth0', 'eth1', 'eth2', 'veth1']) {
      settings.set(`net/ipv6/conf/${name}/forwarding`, '0').set(`net/ipv6/conf/${name}/accept_ra`, '1');
    }
    settings.set('net/ipv6/conf/eth1/accept_ra', '0').set('net/ipv6/conf/eth2/forwarding', '1');
    host = new HostIPv6({
      sysctl: (path: string) => settings.get(path),
      setSysctl: async (path: string, value: string) => void settings.set(path, value),
    } as unknown as KernelTools);
  });
  const forward = (value: string) => settings.set('net/ipv6/conf/all/forwarding', value);

  it('goes on listening to routers where it does, and nowhere else, while it forwards', async () => {
    await host.keepListening(devices);
    assert.deepEqual(
      ['eth0', 'eth1', 'eth2', 'veth1'].map((name) => at(name)),
      ['2', '0', '1', '1'],
    );
    forward('1');
    await host.putBack(devices);
    assert.deepEqual([at('all', 'forwarding'), at('eth0')], ['0', '1']);
  });

  it('stays when a bridge of somebody else needs it, or when it forwarded before', async () => {
    await host.keepListening(devices);
    forward('1');
    await host.putBack([...devices, device('br-1', { isBridge: true })]);
    assert.deepEqual([at('all', 'forwarding'), at('eth0')], ['1', '2']);
    await host.keepListening(devices);
    await host.putBack(devices);
    assert.deepEqual([at('all', 'forwarding'), at('eth0')], ['1', '2']);
  });

  it('is not there in a kernel without', () => {
    assert.equal(host.isThere, true);
    settings.clear();
    assert.equal(host.isThere, false);
  });
});
