import assert from 'node:assert/strict';
import { consolidate } from '../../../src/cli/network/ipam.js';
import type { Project } from '../../../src/cli/stack/compose/load.js';
import type { ComposeNetwork } from '../../../src/cli/stack/compose/schema.js';
import { type NetworkRequest, networksOf } from '../../../src/cli/stack/networks.js';
import { cli } from '../../helpers/cli.js';
import { startFakeDaemon } from '../../helpers/fake-daemon.js';

describe('the addresses of network create', () => {
  it('are put with the subnet that they lie in', () => {
    assert.deepEqual(
      consolidate(
        ['10.1.0.0/16', '10.2.0.0/16'],
        ['10.2.4.0/24'],
        ['10.1.0.9', '10.2.0.1'],
        [
          ['router', '10.1.0.2'],
          ['printer', '10.1.0.3'],
        ],
      ),
      [
        { Subnet: '10.1.0.0/16', Gateway: '10.1.0.9', AuxiliaryAddresses: { router: '10.1.0.2', printer: '10.1.0.3' } },
        { Subnet: '10.2.0.0/16', IPRange: '10.2.4.0/24', Gateway: '10.2.0.1' },
      ],
    );
    assert.deepEqual(consolidate([], [], [], []), []);
    assert.deepEqual(
      consolidate(['10.1.0.0/16', 'fd00:7::/64'], ['fd00:7::100/120'], ['FD00:7:0::9'], [['router', 'fd00:7::2']]),
      [
        { Subnet: '10.1.0.0/16' },
        {
          Subnet: 'fd00:7::/64',
          IPRange: 'fd00:7::100/120',
          Gateway: 'FD00:7:0::9',
          AuxiliaryAddresses: { router: 'fd00:7::2' },
        },
      ],
    );
  });

  it('that lie in none, or come twice, are refused in Docker’s words', () => {
    const subnet = ['10.1.0.0/16'];
    assert.throws(() => consolidate([], ['10.1.0.0/24'], [], []), /every ip-range or gateway must have/);
    assert.throws(() => consolidate(subnet, ['10.9.0.0/24'], [], []), /no matching subnet for range 10.9.0.0\/24/);
    assert.throws(() => consolidate(subnet, [], ['10.9.0.1'], []), /no matching subnet for gateway 10.9.0.1/);
    assert.throws(() => consolidate(subnet, [], [], [['a', 'x']]), /no matching subnet for aux-address x/);
    assert.throws(
      () => consolidate([...subnet, '10.2.0.0/16'], ['10.1.0.0/24', '10.1.1.0/24'], [], []),
      /cannot configure multiple ranges/,
    );
  });
});

describe('the networks of a stack', () => {
  it('have the families that its file says', () => {
    const of = (network: ComposeNetwork) => {
      const services = new Map([['web', { image: 'web', networks: new Map([['six', undefined]]) }]]);
      const project = { services, networks: new Map([['six', network]]) } as unknown as Project;
      const [{ EnableIPv4, EnableIPv6, IPAM } = {} as NetworkRequest] = networksOf('shop', project).own;
      return { EnableIPv4, EnableIPv6, subnets: IPAM?.Config?.map(({ Subnet }) => Subnet) };
    };
    const config = [{ subnet: '10.1.0.0/24' }, { subnet: 'fd00:7::/64' }];
    assert.deepEqual(of({ enable_ipv6: true, ipam: { config } }), {
      EnableIPv4: undefined,
      EnableIPv6: true,
      subnets: ['10.1.0.0/24', 'fd00:7::/64'],
    });
    assert.equal(of({ enable_ipv4: false }).EnableIPv4, false); // which the daemon refuses, with its reason
    assert.equal(of({}).EnableIPv6, undefined);
  });
});

describe('network verify', () => {
  it('says that all is well, or what is not, and then fails', async () => {
    const answer = { Revision: 42, Differences: [] as string[], Delays: { Count: 0, Median: 0, Max: 0 } };
    const daemon = await startFakeDaemon({ 'GET /shoal/networks/verify': answer });
    try {
      assert.deepEqual(await cli(daemon, ['network', 'verify']), {
        code: 0,
        out: 'The kernel of this node is as the state says (revision 42)\n',
        err: '',
      });
      answer.Delays = { Count: 9, Median: 12, Max: 60 };
      assert.match(
        (await cli(daemon, ['network', 'verify'])).out,
        /^The last 9 changes were in force 12 ms \(median; at most 60 ms\) after this node heard of them\n/,
      );
      answer.Delays.Count = 0;
      answer.Differences = ['table ip shoal is missing'];
      const { code, out, err } = await cli(daemon, ['network', 'verify']);
      assert.deepEqual([code, out], [1, 'table ip shoal is missing\n']);
      assert.match(err, /differs from the state \(revision 42\)/);
    } finally {
      await daemon.close();
    }
  });
});
