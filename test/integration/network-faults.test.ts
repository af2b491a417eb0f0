import assert from 'node:assert/strict';
import type { Host } from '../../src/lab/host.js';
import type { NamespaceHost } from '../../src/lab/namespace-host.js';
import { seededRandom } from '../../src/model/random.js';
import { docker, eventually, formCluster, get, labForTests, shoal } from '../helpers/lab.js';
import { converged, nodesReady } from '../helpers/service.js';

/** `NETWORK_FAULTS=60 NETWORK_SEED=7 npm test -- integration` goes on for longer, another way. */
const faults = Number(process.env.NETWORK_FAULTS ?? 10);
const seed = Number(process.env.NETWORK_SEED ?? 1);

describe('the networking of a cluster in which anything may go wrong', function () {
  this.timeout(60_000 + faults * 60_000);
  const lab = labForTests(3, { daemonFlags: ['--data-plane', 'kernel'] });
  const host = (at: number) => lab().hosts[at] as Host;
  const must = async (...args: string[]) => {
    const output = await docker(host(0), 'cluster', ...args);
    assert.equal(output.code, 0, `docker ${args.join(' ')}: ${output.stderr}`);
    return output.stdout.trim();
  };
  const create = (name: string, replicas: number, ...args: string[]) =>
    must('service', 'create', '-d', '--name', name, '--replicas', String(replicas), ...args, 'shoal/web:1');
  const onHost = (on: Host, command: string) => on.exec(['sh', '-c', command]);

  /** Every node's kernel is as the state says, and every node leads to the tasks that there are. */
  const isWhole = () =>
    eventually(async () => {
      for (const on of lab().hosts) {
        const { code, stdout, stderr } = await shoal(on, 'network', 'verify');
        if (code !== 0) return `${on.name}: ${stdout}${stderr}`;
        if ((await get(lab(), on.address, 8080)) === undefined) return `${on.name} does not answer`;
      }
      return undefined;
    });

  before(async () => {
    await formCluster(lab(), 3);
    await nodesReady(host(0), 3);
    await must('network', 'create', '-d', 'overlay', '--ipv6', 'blue');
    await create('web', 3, '-p', '8080:80', '--network', 'blue');
    await converged(host(0), 'web', 3);
  });

  it('is what the state says again after every fault and every change', async () => {
    const random = seededRandom(seed);
    let replicas = 3;
    let made = 0;
    const pick = () => host(random.below(3));
    const sabotage = (command: string) => async () => {
      await onHost(pick(), command);
    };
    const kinds: [name: string, action: () => Promise<unknown>][] = [
      ['table deleted', sabotage('nft delete table ip shoal; nft delete table ip6 shoal')],
      ['all rules flushed', sabotage('nft flush table ip shoal; nft flush table ip6 shoal')],
      ['a map emptied', sabotage('nft flush map ip shoal virtual; nft flush map ip shoal inside')],
      ['a rule added', sabotage('nft insert rule ip shoal forward drop')],
      ['tunnel deleted', sabotage('ip link del shv0')],
      ['routes deleted', sabotage('ip route flush dev shv0; ip neigh flush dev shv0 nud permanent')],
      [
        'ways of IPv6 deleted',
        sabotage('ip -6 addr flush dev shv0; ip -6 neigh flush proxy; ip -6 route flush dev shv0'),
      ],
      ['ways back deleted', sabotage('while ip rule del pref 5300; do :; done')],
      ['the rule for Docker deleted', sabotage('iptables -F DOCKER-USER')],
      [
        'daemon killed',
        async () => {
          const on = pick();
          await on.signalDaemon('SIGKILL');
          await onHost(on, 'nft flush table ip shoal');
          await on.startDaemon();
        },
      ],
      [
        'node cut off',
        async () => {
          const on = host(1 + random.below(2));
          await on.partition();
          await new Promise((resolve) => setTimeout(resolve, 1_000 + random.below(5_000)));
          await on.heal();
        },
      ],
      [
        'engine killed',
        async () => {
          const on = pick() as NamespaceHost;
          await on.killEngine();
          await on.startEngine();
        },
      ],
      [
        'host without power',
        async () => {
          const on = host(1 + random.below(2));
          await on.crash();
          await on.start();
        },
      ],
      [
        'scaled',
        () => {
          replicas = 1 + random.below(5);
          return must('service', 'scale', '-d', `web=${replicas}`);
        },
      ],
      [
        'a network and a service more',
        async () => {
          made += 1;
          await must('network', 'create', '-d', 'overlay', `net${made}`);
          await create(`svc${made}`, 2, '--network', `net${made}`, '-p', `${9000 + made}:80`);
        },
      ],
      [
        'a service less',
        async () => {
          if (made === 0) return;
          await must('service', 'rm', `svc${made}`);
          made -= 1;
          await eventually(async () => {
            const { code, stderr } = await docker(host(0), 'cluster', 'network', 'rm', `net${made + 1}`);
            return code === 0 ? undefined : stderr;
          });
        },
      ],
    ];
    const done: string[] = [];
    for (let count = 0; count < faults; count++) {
      // Two at once now and then: the second comes while the first is put right.
      for (let more = 1 + random.below(2); more > 0; more--) {
        const [name, action] = kinds[random.below(kinds.length)]!;
        done.push(name);
        await eventually(async () => {
          await action();
          return undefined;
        });
      }
      await isWhole().catch((error: Error) => assert.fail(`seed ${seed}, after ${done.join(', ')}: ${error.message}`));
    }
    await nodesReady(host(0), 3);
    await converged(host(0), 'web', replicas);
    await isWhole();
  });
});
