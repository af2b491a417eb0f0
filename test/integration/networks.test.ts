import assert from 'node:assert/strict';
import type { Host } from '../../src/lab/host.js';
import { encryptionObstacle } from '../../src/network/kernel/encryption/probe.js';
import { systemTools } from '../../src/network/kernel/tools.js';
import { docker, eventually, formCluster, labForTests, shoal } from '../helpers/lab.js';
import { converged, type ListedTask, nodesReady, runningOf } from '../helpers/service.js';

describe('networks of a cluster on three real engines', function () {
  this.timeout(180_000);
  const lab = labForTests(3);
  const host = (at: number) => lab().hosts[at] as Host;

  const must = async (on: Host, ...args: string[]) => {
    const output = await docker(on, 'cluster', ...args);
    assert.equal(output.code, 0, `docker ${args.join(' ')}: ${output.stderr}`);
    return output.stdout.trim();
  };
  const hostOf = async (task: ListedTask) => {
    const name = await must(host(0), 'node', 'inspect', '-f', '{{.Description.Hostname}}', task.NodeID);
    return lab().hosts.find((one) => one.name === name)!;
  };
  /** What a shell says within a task's container, errors too. */
  const within = async (task: ListedTask, command: string) => {
    const container = task.Status.ContainerStatus!.ContainerID;
    const output = await docker(await hostOf(task), 'engine', 'exec', container, 'sh', '-c', command);
    return (output.stdout + output.stderr).trim();
  };
  const ask = (task: ListedTask, name: string, port = 80, path = '/') =>
    within(task, `printf 'GET ${path} HTTP/1.0\\r\\n\\r\\n' | timeout 5 nc ${name} ${port} 2>&1 | tail -1`);
  const addressOf = (task: ListedTask) => task.NetworksAttachments![0]!.Addresses[0]!.replace(/\/.*/, '');
  const onHost = async (on: Host, command: string) => {
    const { stdout, stderr } = await on.exec(['sh', '-c', command]);
    return stdout + stderr;
  };
  const create = async (name: string, ...args: string[]) => {
    await must(host(0), 'service', 'create', '-d', '--name', name, ...args, 'shoal/web:1');
  };

  before(async () => {
    await formCluster(lab(), 1);
    await nodesReady(host(0), 3);
    for (const name of ['blue', 'red']) await must(host(0), 'network', 'create', '-d', 'overlay', name);
    await create('web', '--network', 'name=blue,alias=www', '--replicas', '3', '-p', '8080:80');
    await create('caller', '--network', 'blue', '--mode', 'global');
    await create('stranger', '--network', 'red');
    await converged(host(0), 'web', 3);
    await converged(host(0), 'caller', 3);
    await converged(host(0), 'stranger', 1);
  });

  it('carry every task to every other at its own address, with that address as the source', async () => {
    const [servers, callers] = [await runningOf(host(0), 'web'), await runningOf(host(0), 'caller')];
    assert.equal(new Set(servers.map(({ NodeID }) => NodeID)).size, 3);
    for (const caller of callers) {
      for (const server of servers) {
        const id = server.Status.ContainerStatus!.ContainerID.slice(0, 12);
        assert.equal(await ask(caller, addressOf(server)), `v1 ${id}`);
      }
    }
    const [server, caller] = [servers[0]!, callers.find(({ NodeID }) => NodeID !== servers[0]!.NodeID)!];
    const script = '/www/cgi-bin/who';
    await within(server, `printf '#!/bin/sh\\necho; echo $REMOTE_ADDR' > ${script}; chmod +x ${script}`);
    const heard = await ask(caller, addressOf(server), 80, '/cgi-bin/who');
    assert.equal(heard.replace(/^\[::ffff:(.*)\]$/, '$1'), addressOf(caller)); // the server listens on IPv6 for both
  });

  it('carry packets of full size in one piece, to the same node and to others, and say of larger ones that they are', async () => {
    const [servers, [caller]] = [await runningOf(host(0), 'web'), await runningOf(host(0), 'caller')];
    const python = async (task: ListedTask, script: string, rest = '') => {
      const pid = await must(
        await hostOf(task),
        'inspect',
        '-f',
        '{{.State.Pid}}',
        task.Status.ContainerStatus!.ContainerID,
      );
      return onHost(await hostOf(task), `nsenter -t ${pid} -n timeout 60 python3 -c '${script}' ${rest}`);
    };
    for (const server of servers) {
      const echo =
        'import socket\ns = socket.socket(2, 2)\ns.bind(("", 7777))\nwhile 1:\n b, a = s.recvfrom(65535)\n s.sendto(b, a)';
      await python(server, echo, '> /dev/null 2>&1 &');
      // IP_MTU_DISCOVER, IP_PMTUDISC_DO: never in pieces.
      const probe = (bytes: number) =>
        python(
          caller!,
          `import socket\ns = socket.socket(2, 2)\ns.setsockopt(0, 10, 2)\ns.settimeout(1)\ntry:\n s.sendto(b"x" * ${bytes}, ("${addressOf(server)}", 7777))\n print(len(s.recv(65535)))\nexcept OSError as e: print(type(e).__name__, e.errno)`,
        );
      const full = 1500 - 50 - 28; // the lab's own MTU, less VXLAN, less the headers of IP and UDP
      await eventually(async () => {
        const heard = (await probe(full)).trim();
        return heard === String(full) ? undefined : heard;
      }, 10_000);
      assert.match(await probe(full + 1), /OSError 90/); // EMSGSIZE
    }
  });

  it('know services by name and alias, which lead to all of their tasks in turn, their own included', async () => {
    const [caller] = await runningOf(host(0), 'caller');
    for (const name of ['web', 'www', 'web.blue']) {
      const seen = new Set<string>();
      await eventually(async () => {
        seen.add(await ask(caller!, name));
        return seen.size === 3 ? undefined : `${name}: ${[...seen].join(', ')}`;
      });
      assert.ok(
        [...seen].every((answer) => answer.startsWith('v1 ')),
        [...seen].join(),
      );
    }
    for (const server of await runningOf(host(0), 'web')) {
      for (let count = 0; count < 3; count++) assert.match(await ask(server, 'web'), /^v1 /);
    }
  });

  it('know their tasks by tasks.<service>, and no name twice', async () => {
    const [caller] = await runningOf(host(0), 'caller');
    const servers = await runningOf(host(0), 'web');
    const told = await within(caller!, 'nslookup tasks.web 127.0.0.11');
    const found = [...told.matchAll(/^Address(?: \d+)?: (10\.[\d.]+)/gm)].map(([, address]) => address);
    assert.deepEqual(found.sort(), servers.map(addressOf).sort(), told);
  });

  it('keep strangers out, by address and by name', async () => {
    const [stranger] = await runningOf(host(0), 'stranger');
    const [server] = await runningOf(host(0), 'web');
    assert.doesNotMatch(await ask(stranger!, addressOf(server!)), /^v1 /);
    assert.doesNotMatch(await ask(stranger!, 'web'), /^v1 /);
    const vip = await must(host(0), 'service', 'inspect', '-f', '{{(index .Endpoint.VirtualIPs 0).Addr}}', 'web');
    assert.doesNotMatch(await ask(stranger!, vip.replace(/\/.*/, '')), /^v1 /);
  });

  it('are encrypted where kernels can, and refused with what is missing where none can', async () => {
    const obstacle = await encryptionObstacle(systemTools);
    const { code, stderr } = await docker(
      host(0),
      'cluster',
      ...['network', 'create', '-d', 'overlay', '--opt', 'encrypted', 'shut'],
    );
    if (obstacle === undefined) assert.equal(code, 0, stderr);
    else {
      assert.match(stderr, /Options.encrypted: no node of the cluster can encrypt \(.*CONFIG_INET_ESP.*\)/);
      for (const { name } of lab().hosts) assert.ok(stderr.includes(name), `${stderr} names ${name}`);
    }
  });

  it('lose no request to a virtual IP in a rolling update', async () => {
    const [caller] = await runningOf(host(0), 'caller');
    const load = within(
      caller!,
      "n=0; bad=0; end=$(($(date +%s)+25)); while [ $(date +%s) -lt $end ]; do n=$((n+1)); printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 5 nc web 80 | grep -q '^v' || bad=$((bad+1)); done; echo $n $bad",
    );
    await must(host(0), 'service', 'update', '-d', '--image', 'shoal/web:2', 'web');
    await eventually(async () => {
      const images = (await runningOf(host(0), 'web')).map((task) => task.Spec.ContainerSpec.Image);
      return images.length === 3 && images.every((image) => image.startsWith('shoal/web:2'))
        ? undefined
        : images.join(', ');
    });
    const [count, bad] = (await load).split(' ').map(Number);
    assert.ok(count! > 20, `${count} requests were made`);
    assert.equal(bad, 0, `${bad} of ${count} requests were lost`);
  });

  it('are put right when somebody else takes them away', async () => {
    const [caller] = await runningOf(host(0), 'caller');
    const on = await hostOf(caller!);
    await onHost(on, 'nft delete table ip shoal; ip link del shv0');
    await eventually(async () => {
      const seen = new Set<string>();
      for (let count = 0; count < 6; count++) seen.add(await ask(caller!, 'web'));
      return seen.size === 3 && !seen.has('') ? undefined : [...seen].join(', ');
    });
  });

  it('leave nothing behind: networks without tasks, and nodes that leave', async () => {
    const refused = await docker(host(0), 'cluster', 'network', 'rm', 'blue');
    assert.match(refused.stderr, /network \w+ is in use by service/);
    await must(host(0), 'service', 'rm', 'stranger');
    await eventually(async () => {
      const { code, stderr } = await docker(host(0), 'cluster', 'network', 'rm', 'red');
      return code === 0 ? undefined : stderr;
    });
    const left = await shoal(host(2), 'swarm', 'leave');
    assert.equal(left.code, 0, left.stderr);
    const rest = await onHost(host(2), 'ip -br link; nft list tables ip; iptables -S DOCKER-USER; ip route');
    assert.doesNotMatch(rest, /shv0|shl\d|shoal|0x53000000|100\.96/);
    await must(host(0), 'service', 'rm', 'web', 'caller');
    await eventually(async () => {
      const { code, stderr } = await docker(host(0), 'cluster', 'network', 'rm', 'blue');
      return code === 0 ? undefined : stderr;
    });
    for (const on of [host(0), host(1)]) {
      await eventually(async () => {
        const links = await onHost(on, 'ip -br link; nft list tables ip');
        return /shv0|shl\d|shoal/.test(links) ? links : undefined;
      });
    }
  });
});
