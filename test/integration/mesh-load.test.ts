import assert from 'node:assert/strict';
import type { Host } from '../../src/lab/host.js';
import { docker, eventually, formCluster, labForTests, shoal, startClient } from '../helpers/lab.js';
import { converged, nodesOf, nodesReady, runningOf } from '../helpers/service.js';

/**
 * Keeps connections, takes its time to listen and to answer, and dies at once when it is told to stop: whatever is under way then is lost.
 * It does not wait for a health check, and is given none.
 */
const server = `const { createServer } = require('http');
const answer = (_, response) => setTimeout(() => response.end('answer'), 5);
setTimeout(() => createServer({ keepAliveTimeout: 60000 }, answer).listen(80), 300);
process.on('SIGTERM', () => process.exit());`;

/** Of this host: it has processes of its own. */
const interruptWrk =
  'cd /proc; for p in [0-9]*; do if [ "$(cat $p/comm 2>/dev/null)" = wrk ]; then kill -INT $p; fi; done';

describe('the kernel under the steady load of wrk', function () {
  this.timeout(120_000);
  const lab = labForTests(3, { daemonFlags: ['--data-plane', 'kernel'] });
  const host = (at: number) => lab().hosts[at] as Host;
  const must = async (...args: string[]) => {
    const output = await docker(host(0), 'cluster', ...args);
    assert.equal(output.code, 0, `docker ${args.join(' ')}: ${output.stderr}`);
    return output.stdout.trim();
  };
  let virtualIP: string;
  /** A process in the network of a container on the service's network. */
  let inside: string;

  before(async () => {
    await formCluster(lab(), 1);
    await nodesReady(host(0), 3);
    await must('network', 'create', '-d', 'overlay', 'blue');
    const place = ['--network', 'blue', '--constraint', 'node.hostname==node1'];
    await must('service', 'create', '-d', '--name', 'client', ...place, 'shoal/web:1');
    const program = ['chroot', '/host', process.execPath, '-e', server];
    const mount = ['--mount', 'type=bind,source=/,target=/host,readonly', 'shoal/web:1'];
    const ways = ['--network', 'blue', '-p', '8080:80', '--update-delay', '0s', '--restart-delay', '100ms'];
    await must('service', 'create', '-d', '--name', 'web', '--replicas', '4', ...ways, ...mount, ...program);
    await converged(host(0), 'web', 4);
    const format = '{{(index .Endpoint.VirtualIPs 0).Addr}}';
    virtualIP = (await must('service', 'inspect', '-f', format, 'web')).replace(/\/.*/, '');
    await converged(host(0), 'client', 1);
    const [client] = await runningOf(host(0), 'client');
    const { ContainerID } = client!.Status.ContainerStatus!;
    inside = (await docker(host(0), 'engine', 'inspect', '-f', '{{.State.Pid}}', ContainerID)).stdout.trim();
  });

  /** Does it under the load of four wrks, on kept and on new connections: from outside, and to the virtual IP. None of them may have seen an error. */
  const losesNothing = async (change: () => Promise<unknown>) => {
    const wrk = (at: string, ...flags: string[]) => ['wrk', '-t1', '-c4', '-d100', ...flags, `http://${at}/`];
    const close = ['-H', 'Connection: close'];
    const outside = [
      startClient(lab(), wrk(`${host(0).address}:8080`)),
      startClient(lab(), wrk(`${host(0).address}:8080`, ...close)),
    ];
    const within = [[], close].map((flags) =>
      host(0).exec(['nsenter', '-t', inside, '-n', ...wrk(virtualIP, ...flags)]),
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    let outputs: string[];
    try {
      await change();
      await new Promise((resolve) => setTimeout(resolve, 500));
    } finally {
      await host(0).exec(['sh', '-c', interruptWrk]);
      outputs = await Promise.all([
        ...outside.map((one) => one.stop('SIGINT')),
        ...within.map(async (one) => (await one).stdout),
      ]);
    }
    for (const [at, output] of outputs.entries()) {
      const who = ['mesh, kept', 'mesh, new', 'virtual IP, kept', 'virtual IP, new'][at];
      assert.ok(Number(/(\d+) requests in/.exec(output)?.[1]) > 20, `${who}: ${output}`);
      assert.ok(!/Socket errors|Non-2xx/.test(output), `${who}: ${output}`);
    }
  };
  const settled = (count: number) => converged(host(0), 'web', count);

  it('loses no request while every task is replaced', () =>
    losesNothing(async () => {
      const before = new Set((await runningOf(host(0), 'web')).map(({ ID }) => ID));
      await must('service', 'update', '--detach=false', '--force', 'web');
      await converged(host(0), 'web', 4, ({ ID }) => !before.has(ID));
    }));

  it('loses no request while a service gets fewer tasks, and more', () =>
    losesNothing(async () => {
      await must('service', 'scale', '-d', 'web=2');
      await settled(2);
      await must('service', 'scale', '-d', 'web=4');
      await settled(4);
    }));

  it('loses no request while a node is drained', () =>
    losesNothing(async () => {
      await must('node', 'update', '--availability', 'drain', 'node3');
      const drained = (await nodesOf(host(0))).find((node) => node.Description.Hostname === 'node3');
      await converged(host(0), 'web', 4, ({ NodeID }) => NodeID !== drained?.ID);
    }));

  it('loses no request while a node leaves', async () => {
    await must('node', 'update', '--availability', 'active', 'node3');
    await must('service', 'update', '--detach=false', '--force', 'web');
    const leaving = (await nodesOf(host(0))).find((node) => node.Description.Hostname === 'node2');
    await eventually(async () => {
      const there = (await runningOf(host(0), 'web')).some(({ NodeID }) => NodeID === leaving?.ID);
      return there ? undefined : 'the node that is to leave has no task';
    });
    await losesNothing(async () => {
      const left = await shoal(host(1), 'swarm', 'leave');
      assert.equal(left.code, 0, left.stderr);
      await converged(host(0), 'web', 4, ({ NodeID }) => NodeID !== leaving?.ID);
    });
  });
});
