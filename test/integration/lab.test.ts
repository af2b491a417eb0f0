import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { shoalCommand } from '../../src/lab/daemon-command.js';
import type { Host } from '../../src/lab/host.js';
import { Lab } from '../../src/lab/lab.js';
import { Layout } from '../../src/lab/layout.js';
import { answersPing } from '../../src/lab/probe.js';
import { run, tryRun } from '../../src/lab/run.js';
import { docker, eventually, get, labForTests } from '../helpers/lab.js';

const shoalLab = (...args: string[]) => {
  const [program = '', ...rest] = shoalCommand('lab', ...args);
  return tryRun(program, rest);
};

describe('shoal lab', function () {
  this.timeout(180_000);
  const name = `c${process.pid.toString(36)}`.slice(0, 8);
  after(() => shoalLab('down', '--name', name));

  it('builds hosts, says what is up and how to use it', async () => {
    const up = await shoalLab('up', '2', '--no-daemon', '--name', name);
    assert.equal(up.code, 0, up.stderr);
    assert.match(up.stdout, /node1 +10\.99\.0\.11 +up +up +down/);
    assert.match(up.stdout, new RegExp(`End it: +shoal lab down --name ${name}`));
  });

  it('refuses a second one of the same name', async () => {
    const again = await shoalLab('up', '--name', name);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /is up already; `shoal lab down --name \w+` ends it/);
  });

  it('runs commands on a host and beside the cluster, and ends as they end', async () => {
    assert.equal((await shoalLab('exec', '--name', name, 'node2', 'hostname')).stdout, 'node2\n');
    assert.equal((await shoalLab('exec', '--name', name, 'node1', 'sh', '-c', 'exit 7')).code, 7);
    assert.match((await shoalLab('exec', '--name', name, 'client', 'ip', '-4', 'addr')).stdout, /10\.99\.0\.100/);
  });

  it('cuts a host off and joins it again', async () => {
    const reaches = async () =>
      (await shoalLab('exec', '--name', name, 'client', 'busybox', 'ping', '-c', '1', '-W', '1', '10.99.0.12')).code ===
      0;
    assert.ok(await reaches());
    assert.equal((await shoalLab('partition', '--name', name, 'node2')).code, 0);
    assert.ok(!(await reaches()));
    assert.equal((await shoalLab('heal', '--name', name, '2')).code, 0);
    await eventually(async () => ((await reaches()) ? undefined : 'it is still cut off'));
  });

  it('cuts the power of a host and boots it with the disk it had', async () => {
    await run('touch', [`${new Layout(name).host(1).dataDirectory}/kept`]);
    assert.match((await shoalLab('crash', '--name', name, 'node1')).stdout, /node1 down +node2 up/);
    const gone = await shoalLab('exec', '--name', name, 'node1', 'true');
    assert.equal(gone.code, 1);
    assert.match(gone.stderr, /node1 is down; `shoal lab start node1` boots it/);
    assert.match((await shoalLab('start', '--name', name, 'node1')).stdout, /node1 up +node2 up/);
    assert.ok(existsSync(`${new Layout(name).host(1).dataDirectory}/kept`));
  });

  it('starts the engine again on a host that is up without it', async () => {
    const socket = new Layout(name).host(1).engineSocket;
    await shoalLab('exec', '--name', name, 'node1', 'sh', '-c', 'kill -9 $(cat /run/docker.pid)');
    await eventually(async () => ((await answersPing(socket)) ? 'the engine lives on' : undefined));
    assert.match(
      (await shoalLab('status', '--name', name)).stdout,
      /node1 +10\.99\.0\.11 +up +down +down .*\nnode2 +\S+ +up +up/,
    );
    assert.match((await shoalLab('start', '--name', name, 'node1')).stdout, /node1 up +node2 up/);
    assert.ok(await answersPing(socket));
  });

  it('says what is wrong with a name, a number or a host', async () => {
    for (const [args, reason] of [
      [['up', '31', '--name', 'x'], /1 to 30 hosts, not 31/],
      [['up', '--name', '../x'], /a lab's name is 1 to 8 lower-case letters and digits/],
      [['down', '--name', 'nosuch'], /there is no lab nosuch here/],
      [['crash', '--name', name, 'node9'], /there is no host "node9"; the hosts are node1, node2/],
      [['get', '--name', name, 'nonsense'], /"nonsense" is not a URL/],
    ] as const) {
      const output = await shoalLab(...args);
      assert.equal(output.code, 1, args.join(' '));
      assert.match(output.stderr, reason);
    }
  });

  it('leaves nothing when it goes down', async () => {
    const layout = new Layout(name);
    assert.equal((await shoalLab('down', '--name', name)).code, 0);
    assert.ok(!existsSync(layout.directory));
    assert.ok(!(await run('ip', ['netns', 'list'])).includes(`${name}-`));
    assert.ok(!(await run('mount', [])).includes(layout.directory));
  });

  it('explains itself without root, and offers the other way', async () => {
    const { getuid } = process;
    process.getuid = () => 1000;
    try {
      await assert.rejects(
        Lab.up({ name: 'noroot', hosts: 1, sharedEngine: undefined, engineFlags: [], daemonFlags: [] }),
        /only root may create[\s\S]*sudo shoal lab up[\s\S]*shoal lab up --shared-engine/,
      );
    } finally {
      process.getuid = getuid;
    }
  });
});

describe('daemons that share one engine', function () {
  this.timeout(180_000);
  const outer = labForTests(1, { daemonFlags: undefined });
  const name = `s${process.pid.toString(36)}`.slice(0, 8);
  const host = () => outer().hosts[0] as Host;
  // Inside the host, because that is where its engine's ports are.
  const inside = async (...args: string[]) => {
    const output = await host().exec(shoalCommand(...args));
    assert.equal(output.code, 0, `shoal ${args.join(' ')}: ${output.stderr}`);
    return output.stdout;
  };
  afterEach(() => host().exec(shoalCommand('lab', 'down', '--name', name))); // `after` would come when the host is gone

  it('are a cluster, tell their containers apart, and publish ports on addresses of their own', async () => {
    await inside('lab', 'up', '3', '--init', `--shared-engine=${host().engineSocket}`, '--name', name);
    const api = `unix://${new Layout(name).host(2).apiSocket}`;
    await inside(
      '-H',
      api,
      'service',
      'create',
      '-d',
      '--name',
      'web',
      '--replicas',
      '3',
      '-p',
      '8080:80',
      'shoal/web:1',
    );
    await eventually(async () => {
      const nodes = await inside(
        '-H',
        api,
        'service',
        'ps',
        'web',
        '--filter',
        'desired-state=running',
        '--format',
        '{{.ID}} {{.CurrentState}}',
      );
      return nodes.match(/Running/g)?.length === 3 ? undefined : nodes;
    });
    for (const address of ['127.0.0.11', '127.0.0.12', '127.0.0.13']) {
      await eventually(async () => {
        const answers = await inside('lab', 'get', '--name', name, '--times', '6', `http://${address}:8080/`);
        return new Set(answers.trim().split('\n')).size === 3 ? undefined : answers;
      });
    }
    const cut = await host().exec(shoalCommand('lab', 'partition', '--name', name, 'node1'));
    assert.match(cut.stderr, /partition: hosts of a --shared-engine lab are all on this machine's loopback/);
    const names = await inside('-H', api, 'node', 'ls', '--format', '{{.Hostname}}');
    assert.deepEqual(names.trim().split('\n').sort(), ['node1', 'node2', 'node3']);
    await inside('lab', 'crash', '--name', name, 'node3'); // nobody is left to remove its container
    await inside('lab', 'down', '--name', name);
    assert.equal((await docker(host(), 'engine', 'ps', '-aq')).stdout, '');
    assert.equal(await get(outer(), host().address, 8080), undefined);
  });
});
