import assert from 'node:assert/strict';
import type { Host } from '../../src/lab/host.js';
import { docker, eventually, formCluster, labForTests } from '../helpers/lab.js';
import { converged, nodesReady } from '../helpers/service.js';

// 40 s on two cores.
describe('containers of docker run on networks of a cluster, on three real engines', function () {
  this.timeout(180_000);
  const lab = labForTests(3);
  const host = (at: number) => lab().hosts[at] as Host;
  const worker = () => host(2);

  const must = async (on: Host, ...args: string[]) => {
    const output = await docker(on, 'cluster', ...args);
    assert.equal(output.code, 0, `docker ${args.join(' ')}: ${output.stderr}`);
    return output.stdout.trim();
  };
  const refused = async (on: Host, ...args: string[]) => {
    const output = await docker(on, 'cluster', ...args);
    assert.notEqual(output.code, 0, `docker ${args.join(' ')} went well`);
    return output.stderr;
  };
  const within = async (on: Host, container: string, command: string) => {
    const output = await docker(on, 'engine', 'exec', container, 'sh', '-c', command);
    return (output.stdout + output.stderr).trim();
  };
  const ask = (on: Host, container: string, name: string) =>
    within(on, container, `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 5 nc ${name} 80 2>&1 | tail -1`);
  const addressOf = (on: Host, container: string, network = 'blue') =>
    must(on, 'inspect', '-f', `{{with index .NetworkSettings.Networks "${network}"}}{{.IPAddress}}{{end}}`, container);
  /** Name and address of what the managers know to be on the network, services and their tasks aside. */
  const known = async (network = 'blue') => {
    const [shown] = JSON.parse(await must(host(0), 'network', 'inspect', '--verbose', network));
    const attached: { Name: string; EndpointIP: string }[] = shown.Services?.['']?.Tasks ?? [];
    return attached.map(({ Name, EndpointIP }) => `${Name} ${EndpointIP}`).sort();
  };
  const knows = (...expected: string[]) =>
    eventually(async () => {
      const found = await known();
      return found.join() === [...expected].sort().join() ? undefined : found.join();
    });
  const answers = (on: Host, container: string, name: string, pattern: RegExp) =>
    eventually(async () => {
      const answer = await ask(on, container, name);
      return pattern.test(answer) ? undefined : `${name}: ${answer}`;
    });
  const verified = async () => {
    for (const on of lab().hosts) {
      await eventually(async () => {
        const { stdout } = await on.exec([
          'curl',
          '-s',
          '--unix-socket',
          on.apiSocket,
          'http://d/shoal/networks/verify',
        ]);
        const { Differences } = JSON.parse(stdout) as { Differences: string[] };
        return Differences.length === 0 ? undefined : `${on.name}: ${Differences.join('; ')}`;
      });
    }
  };

  before(async () => {
    await formCluster(lab(), 1);
    await nodesReady(host(0), 3);
    await must(host(0), 'network', 'create', '-d', 'overlay', '--attachable', '--subnet', '10.7.0.0/24', 'blue');
    await must(host(0), 'network', 'create', '-d', 'overlay', 'closed');
    await must(
      host(0),
      ...['service', 'create', '-d', '--name', 'web', '--network', 'blue', '--mode', 'global', 'shoal/web:1'],
    );
    await converged(host(0), 'web', 3);
  });

  it('run on any node, a worker too, and reach services by name and each other on other nodes', async () => {
    await must(worker(), 'run', '-d', '--name', 'one', '--network', 'blue', 'shoal/web:1');
    await must(host(1), 'run', '-d', '--name', 'two', '--network', 'blue', '--network-alias', 'deux', 'shoal/web:1');
    const [one, two] = [await addressOf(worker(), 'one'), await addressOf(host(1), 'two')];
    assert.match(one, /^10\.7\.0\.\d+$/);
    assert.notEqual(one, two);
    await knows(`one ${one}`, `two ${two}`);
    for (const name of ['web', 'tasks.web', two, 'two', 'deux']) await answers(worker(), 'one', name, /^v1 /);
    await answers(host(1), 'two', 'one', /^v1 /);
    const [shown] = JSON.parse(await must(worker(), 'network', 'inspect', 'blue'));
    const containers = Object.values(shown.Containers) as { Name: string; IPv4Address: string }[];
    assert.ok(
      containers.some(({ Name, IPv4Address }) => Name === 'one' && IPv4Address === `${one}/24`),
      JSON.stringify(containers),
    );
    assert.equal(shown.Scope, 'swarm');
    await verified();
  });

  it('are refused in Docker’s words on a network that is not attachable, and where there is no such address', async () => {
    assert.match(
      await refused(worker(), 'run', '--rm', '--network', 'closed', 'shoal/web:1', 'true'),
      /Could not attach to network closed: rpc error: code = PermissionDenied desc = network closed not manually attachable/,
    );
    const taken = await addressOf(worker(), 'one');
    assert.match(
      await refused(host(0), 'run', '--rm', '--network', 'blue', '--ip', taken, 'shoal/web:1', 'true'),
      /Could not attach to network blue: Address already in use/,
    );
    assert.match(await refused(host(0), 'network', 'rm', 'blue'), /network \w+ is in use by/);
  });

  it('give their address back when they end, and get one anew when they are started again', async () => {
    const before = await addressOf(worker(), 'one');
    await must(worker(), 'stop', '-t', '1', 'one');
    const two = await addressOf(host(1), 'two');
    await knows(`two ${two}`);
    // Somebody else has its address meanwhile.
    await must(host(0), 'run', '-d', '--name', 'thief', '--network', 'blue', '--ip', before, 'shoal/web:1');
    await must(worker(), 'start', 'one');
    const after = await addressOf(worker(), 'one');
    assert.notEqual(after, before);
    await knows(`one ${after}`, `thief ${before}`, `two ${two}`);
    await answers(worker(), 'one', 'web', /^v1 /);
    await must(worker(), 'restart', '-t', '1', 'one');
    assert.equal(await addressOf(worker(), 'one'), after);
    await knows(`one ${after}`, `thief ${before}`, `two ${two}`);
    await must(host(0), 'rm', '-f', 'thief');
    await knows(`one ${after}`, `two ${two}`);
  });

  it('connect and disconnect while they run', async () => {
    const others = await known();
    await must(host(0), 'run', '-d', '--name', 'late', 'shoal/web:1');
    await must(host(0), 'network', 'connect', '--alias', 'spaet', 'blue', 'late');
    const late = await addressOf(host(0), 'late');
    await knows(...others, `late ${late}`);
    await answers(worker(), 'one', 'spaet', /^v1 /);
    assert.match(await ask(host(0), 'late', await addressOf(worker(), 'one')), /^v1 /);
    assert.match(await refused(host(0), 'network', 'connect', 'blue', 'late'), /already exists in network blue/);
    await must(host(0), 'network', 'disconnect', 'blue', 'late');
    await knows(...others);
    assert.match(await refused(host(0), 'network', 'disconnect', 'blue', 'late'), /is not connected to/);
    await must(host(0), 'rm', '-f', 'late');
  });

  it('keep their address when daemon and engine are restarted, and what the engine starts by itself has it again', async () => {
    await must(worker(), 'run', '-d', '--name', 'lasting', '--restart', 'always', '--network', 'blue', 'shoal/web:1');
    const address = await addressOf(worker(), 'lasting');
    await worker().signalDaemon('SIGKILL');
    await worker().startDaemon();
    await nodesReady(host(0), 3);
    await answers(host(1), 'two', 'lasting', /^v1 /);
    for (const step of [['stop', '-t', '0'], ['start']]) {
      const { code, stderr } = await docker(worker(), 'engine', ...step, 'lasting'); // past our API
      assert.equal(code, 0, stderr);
    }
    await answers(host(1), 'two', 'lasting', /^v1 /);
    assert.equal(await addressOf(worker(), 'lasting'), address);
    assert.ok((await known()).includes(`lasting ${address}`));
    await worker().crash();
    await worker().start();
    await nodesReady(host(0), 3);
    await knows(`lasting ${address}`, `two ${await addressOf(host(1), 'two')}`); // `one` is not started again
    await answers(host(1), 'two', 'lasting', /^v1 /);
    await answers(worker(), 'lasting', 'two', /^v1 /);
    await verified();
  });

  it('leave nothing behind when their node leaves, but run on', async () => {
    const node = await must(worker(), 'info', '-f', '{{.Swarm.NodeID}}');
    await must(worker(), 'swarm', 'leave');
    const looks = '{{.State.Running}} {{len .NetworkSettings.Networks}}';
    assert.equal(await must(worker(), 'inspect', '-f', looks, 'lasting'), 'true 0');
    await must(host(0), 'node', 'rm', '-f', node);
    await knows(`two ${await addressOf(host(1), 'two')}`);
    await must(host(0), 'service', 'rm', 'web');
    await must(host(1), 'rm', '-f', 'two');
    await must(host(0), 'network', 'rm', 'blue', 'closed');
    for (const on of lab().hosts) {
      await eventually(async () => {
        const { stdout } = await on.exec(['sh', '-c', 'ip -br link']);
        return /shv0|shl\d/.test(stdout) ? stdout : undefined;
      });
    }
  });
});
