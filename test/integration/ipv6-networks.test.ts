import assert from 'node:assert/strict';
import type { Host } from '../../src/lab/host.js';
import { api, docker, eventually, formCluster, labForTests, shoal } from '../helpers/lab.js';
import { converged, type ListedTask, nodesReady, runningOf } from '../helpers/service.js';

// 45 s on two busy cores.
describe('networks with IPv6 and several subnets, on two real engines', function () {
  this.timeout(180_000);
  const lab = labForTests(2);
  const host = (at: number) => lab().hosts[at] as Host;
  const routerPath = '/proc/sys/net/ipv6/conf/eth0/accept_ra';

  const must = async (on: Host, ...args: string[]) => {
    const output = await docker(on, 'cluster', ...args);
    assert.equal(output.code, 0, `docker ${args.join(' ')}: ${output.stderr}`);
    return output.stdout.trim();
  };
  const onHost = async (on: Host, command: string) => {
    const { stdout, stderr } = await on.exec(['sh', '-c', command]);
    return (stdout + stderr).trim();
  };
  const hostOf = async ({ NodeID }: ListedTask) => {
    const name = await must(host(0), 'node', 'inspect', '-f', '{{.Description.Hostname}}', NodeID);
    return lab().hosts.find((one) => one.name === name)!;
  };
  /** What a shell says within a container, errors too. */
  const inside = async (on: Host, container: string, command: string) => {
    const output = await docker(on, 'engine', 'exec', container, 'sh', '-c', command);
    return (output.stdout + output.stderr).trim();
  };
  const within = async (task: ListedTask, command: string) =>
    inside(await hostOf(task), task.Status.ContainerStatus!.ContainerID, command);
  const request = (name: string, path = '/') =>
    `printf 'GET ${path} HTTP/1.0\\r\\n\\r\\n' | timeout 5 nc ${name} 80 2>&1 | tail -1`;
  const ask = (task: ListedTask, name: string, path?: string) => within(task, request(name, path));
  const addressesOf = (task: ListedTask) =>
    task.NetworksAttachments![0]!.Addresses.map((cidr) => cidr.replace(/\/.*/, '')) as [string, string];
  const answer = (task: ListedTask) => `v1 ${task.Status.ContainerStatus!.ContainerID.slice(0, 12)}`;
  /** Addresses that the name server says a name has. */
  const told = async (task: ListedTask, name: string, type = 'aaaa') =>
    [...(await within(task, `nslookup -type=${type} ${name} 127.0.0.11`)).matchAll(/^Address(?: \d+)?: (fd\S+)/gm)].map(
      ([, address]) => address!,
    );
  const virtualIPs = async (service: string) =>
    (await must(host(0), 'service', 'inspect', '-f', '{{range .Endpoint.VirtualIPs}}{{.Addr}} {{end}}', service))
      .split(' ')
      .map((cidr) => cidr.replace(/\/.*/, ''));
  /** The way of those who choose IPv6, with the client that is known to the server. */
  const everyAnswer = (caller: ListedTask, to: string, count: number) =>
    eventually(async () => {
      const seen = new Set<string>();
      for (let tries = 0; tries < count * 3; tries++) seen.add(await ask(caller, to));
      return seen.size === count && [...seen].every((one) => /^v1 /.test(one)) ? undefined : [...seen].join(', ');
    });
  const verified = async () => {
    for (const on of lab().hosts) {
      await eventually(async () => {
        const { body } = await api<{ Differences: string[] }>(on, 'GET', '/shoal/networks/verify');
        return body.Differences.length === 0 ? undefined : `${on.name}: ${body.Differences.join('; ')}`;
      });
    }
  };

  before(async () => {
    await formCluster(lab(), 1);
    await nodesReady(host(0), 2);
    // The hosts listen to their routers, and forward nothing.
    for (const on of lab().hosts) await onHost(on, `echo 1 > ${routerPath}`);
    const subnets = ['10.7.0.0/29', '10.7.1.0/24', 'fd00:7::/64'].flatMap((subnet) => ['--subnet', subnet]);
    const range = ['--gateway', '10.7.1.9', '--ip-range', '10.7.1.64/26', '--aux-address', 'router=fd00:7::1'];
    await must(host(0), 'network', 'create', '-d', 'overlay', '--attachable', '--ipv6', ...subnets, ...range, 'six');
    await must(host(0), 'network', 'create', '-d', 'overlay', '--ipv6', 'other');
    const create = ['service', 'create', '-d', '--network'];
    // Of the first segment's five addresses virtual IPs have three.
    await must(host(0), ...create, 'name=six,alias=www', '--name', 'web', '--replicas', '3', 'shoal/web:1');
    await must(host(0), ...create, 'six', '--name', 'caller', '--mode', 'global', 'shoal/web:1');
    await must(host(0), ...create, 'other', '--name', 'stranger', '--mode', 'global', 'shoal/web:1');
    await converged(host(0), 'web', 3);
    await converged(host(0), 'caller', 2);
    await converged(host(0), 'stranger', 2);
  });

  it('carry every task to every other of any segment at both of its addresses, and are so inspected', async () => {
    const [shown] = JSON.parse(await must(host(0), 'network', 'inspect', 'six'));
    assert.equal(shown.EnableIPv6, true);
    assert.deepEqual(shown.IPAM.Config.map((one: { Gateway: string }) => one.Gateway).slice(0, 3), [
      '10.7.0.1',
      '10.7.1.9',
      'fd00:7::2',
    ]);
    const second = shown.IPAM.Config[3].Subnet.replace('::/64', ':');
    const [servers, callers] = [await runningOf(host(0), 'web'), await runningOf(host(0), 'caller')];
    const all = [...servers, ...callers].map(addressesOf);
    assert.ok(
      all.some(([ipv4, ipv6]) => ipv4.startsWith('10.7.0.') && ipv6.startsWith('fd00:7::')),
      all.join(' '),
    );
    assert.ok(
      all.some(([ipv4, ipv6]) => ipv4.startsWith('10.7.1.6') && ipv6.startsWith(second)),
      all.join(' '),
    );
    for (const caller of callers) {
      for (const server of servers) {
        for (const address of addressesOf(server)) assert.equal(await ask(caller, address), answer(server), address);
      }
    }
    const [server, caller] = [servers[0]!, callers.find(({ NodeID }) => NodeID !== servers[0]!.NodeID)!];
    const script = '/www/cgi-bin/who';
    await within(server, `printf '#!/bin/sh\\necho; echo $REMOTE_ADDR' > ${script}; chmod +x ${script}`);
    const heard = await ask(caller, addressesOf(server)[1], '/cgi-bin/who');
    assert.equal(heard.replace(/[[\]]/g, ''), addressesOf(caller)[1]);
    // Full packets pass in one piece, and larger ones are known to be that.
    const ping = (bytes: number) => within(caller, `ping -6 -c 1 -W 2 -s ${bytes} ${addressesOf(server)[1]}`);
    assert.match(await ping(1500 - 50 - 48), /1 packets received/);
    assert.equal(await within(caller, 'cat /sys/class/net/eth0/mtu'), '1450');
  });

  it('know services, tasks and addresses by name: AAAA and PTR', async () => {
    const [caller] = await runningOf(host(0), 'caller');
    const servers = await runningOf(host(0), 'web');
    const [, virtual] = await virtualIPs('web');
    for (const name of ['web', 'www', 'web.six']) assert.deepEqual(await told(caller!, name), [virtual]);
    assert.deepEqual((await told(caller!, 'tasks.web')).sort(), servers.map((task) => addressesOf(task)[1]).sort());
    const [stranger] = await runningOf(host(0), 'stranger');
    assert.deepEqual(await told(stranger!, 'web'), []);
    const away = servers.find(({ NodeID }) => NodeID !== caller!.NodeID)!;
    assert.match(await within(caller!, `nslookup ${addressesOf(away)[1]} 127.0.0.11`), new RegExp(`${away.ID}\\.six`));
  });

  it('lead a virtual IP to all tasks in turn, wherever and in whichever segment they are, the caller’s own too', async () => {
    const [ipv4, ipv6] = (await virtualIPs('web')) as [string, string];
    assert.match(ipv6, /^fd00:7::/);
    for (const caller of await runningOf(host(0), 'caller')) {
      await everyAnswer(caller, ipv6, 3);
      await everyAnswer(caller, ipv4, 3);
    }
    for (const server of await runningOf(host(0), 'web')) {
      for (let count = 0; count < 3; count++) assert.match(await ask(server, ipv6), /^v1 /);
    }
    await must(host(0), 'service', 'scale', '-d', 'web=0');
    await eventually(async () => ((await runningOf(host(0), 'web')).length === 0 ? undefined : 'still there'));
    const [caller] = await runningOf(host(0), 'caller');
    await eventually(async () => {
      const refused = await ask(caller!, ipv6);
      return /refused/i.test(refused) ? undefined : refused;
    });
    await must(host(0), 'service', 'scale', '-d', 'web=2');
    await converged(host(0), 'web', 2);
    await everyAnswer(caller!, ipv6, 2);
  });

  it('keep strangers out, on both sides of the tunnel', async () => {
    const [[server], [, virtual]] = [await runningOf(host(0), 'web'), await virtualIPs('web')];
    const strangers = await runningOf(host(0), 'stranger');
    const asked = strangers.flatMap((stranger) => [addressesOf(server!)[1], virtual!].map((to) => ask(stranger, to)));
    for (const heard of await Promise.all(asked)) assert.doesNotMatch(heard, /^v1 /);
  });

  it('have containers of docker run on any node, at an address that is asked for', async () => {
    await must(host(1), 'run', '-d', '--name', 'own', '--network', 'six', '--ip6', 'fd00:7::77', 'shoal/web:1');
    const [caller] = await runningOf(host(0), 'caller');
    await eventually(async () => {
      const [heard, names] = [await ask(caller!, 'fd00:7::77'), await told(caller!, 'own')];
      return /^v1 /.test(heard) && names.join() === 'fd00:7::77' ? undefined : `${heard}; ${names.join()}`;
    });
    const [, virtual] = await virtualIPs('web');
    assert.match(await inside(host(1), 'own', request(virtual!)), /^v1 /);
    await must(host(1), 'rm', '-f', 'own');
  });

  it('are in the kernel what the state says, are put right, and leave the machine as it was', async () => {
    await verified();
    const [caller] = await runningOf(host(0), 'caller');
    const on = await hostOf(caller!);
    assert.equal(await onHost(on, `cat ${routerPath}`), '2');
    await onHost(on, 'nft delete table ip6 shoal; ip -6 addr flush dev shv0; ip -6 neigh flush proxy');
    const [, virtual] = await virtualIPs('web');
    await everyAnswer(caller!, virtual!, 2);
    await verified();
    const { code, stderr } = await shoal(host(1), 'swarm', 'leave');
    assert.equal(code, 0, stderr);
    const rest = await onHost(host(1), 'ip -br link; nft list tables; ip -6 route; ip -6 neigh show proxy');
    assert.doesNotMatch(rest, /shv0|shl\d|shoal|fd00:7:|fd53:/);
    const settings = 'cat /proc/sys/net/ipv6/conf/all/forwarding';
    assert.equal(await onHost(host(1), `cat ${routerPath}; ${settings}`), '1\n0');
  });
});
