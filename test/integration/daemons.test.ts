import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DaemonProcess } from '../helpers/daemon-process.js';
import { freePort, until } from '../helpers/daemons.js';

// Three daemons on loopback addresses, each a process with its own disk, no engine: what a cluster must do whatever runs on it.
describe('daemons as processes', function () {
  this.timeout(300_000);
  let home: string;
  let daemons: DaemonProcess[];
  let port: number;

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'shoal-daemons-'));
    port = await freePort();
    daemons = [1, 2, 3].map((n) => new DaemonProcess(join(home, `n${n}`), `127.0.0.${n}:${port}`));
    for (const daemon of daemons) {
      await mkdir(daemon.directory);
      await daemon.start();
    }
  });
  after(async () => {
    for (const daemon of daemons) await daemon.end('SIGKILL');
    await rm(home, { recursive: true, force: true });
  });
  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    for (const daemon of daemons) console.error(daemon.address, daemon.output.split('\n').slice(-15).join('\n'));
  });

  interface NodeShown {
    ID: string;
    ManagerStatus?: { Leader?: boolean; Addr: string; Reachability: string };
  }
  const nodes = (daemon: DaemonProcess): Promise<NodeShown[]> => daemon.ok('GET', '/nodes');
  const written: string[] = [];
  const write = async (daemon: DaemonProcess, name: string) => {
    await daemon.ok('POST', '/configs/create', { Name: name, Labels: {}, Data: Buffer.from(name).toString('base64') });
    written.push(name);
  };
  const configs = async (daemon: DaemonProcess): Promise<string[]> =>
    (await daemon.ok('GET', '/configs')).map((config: { Spec: { Name: string } }) => config.Spec.Name).sort();
  const leader = async (asked: DaemonProcess): Promise<DaemonProcess> => {
    let found: DaemonProcess | undefined;
    await until(async () => {
      const list = await nodes(asked).catch(() => []);
      const address = list.find((node) => node.ManagerStatus?.Leader)?.ManagerStatus?.Addr;
      found = daemons.find((daemon) => daemon.address === address);
      return found !== undefined;
    }, 'there is a leader');
    return found!;
  };
  const others = (one: DaemonProcess) => daemons.filter((daemon) => daemon !== one);
  const canWrite = (daemon: DaemonProcess, name: string) =>
    until(
      () =>
        write(daemon, name).then(
          () => true,
          () => false,
        ),
      `${daemon.address} takes writes`,
    );

  it('found a cluster from one, and the others join with its token', async () => {
    const [first, second, third] = daemons as [DaemonProcess, DaemonProcess, DaemonProcess];
    assert.match(await first.ok('POST', '/swarm/init', { ListenAddr: '0.0.0.0:2377' }), /^[0-9a-z]{25}$/);
    const { JoinTokens } = await first.ok('GET', '/swarm');
    for (const daemon of [second, third]) {
      await daemon.ok('POST', '/swarm/join', {
        ListenAddr: '0.0.0.0:2377',
        RemoteAddrs: [first.address],
        JoinToken: JoinTokens.Manager,
      });
      const { Swarm } = await daemon.ok('GET', '/info');
      assert.equal(Swarm.LocalNodeState, 'active');
      assert.equal(Swarm.ControlAvailable, true);
    }
    for (const daemon of daemons) {
      assert.equal((await nodes(daemon)).length, 3);
      await write(daemon, `from-${daemon.address.split(':')[0]}`);
    }
    for (const daemon of daemons) assert.deepEqual(await configs(daemon), [...written].sort());
  });

  it('go on without a leader that was killed, and it comes back as who it was', async () => {
    const lost = await leader(daemons[0]!);
    const before = (await nodes(lost)).map((node) => node.ID).sort();
    await lost.end('SIGKILL');
    for (const daemon of others(lost))
      await canWrite(daemon, `without-${lost.address}-${daemon.address}`.replaceAll(/[:.]/g, '-'));
    await lost.start();
    await until(async () => (await lost.call('GET', '/nodes')).status === 200, 'the lost manager serves again');
    assert.deepEqual((await nodes(lost)).map((node) => node.ID).sort(), before);
    assert.deepEqual(await configs(lost), [...written].sort());
  });

  it('lose nothing when all are killed at once', async () => {
    await Promise.all(daemons.map((daemon) => daemon.end('SIGKILL')));
    await Promise.all(daemons.map((daemon) => daemon.start()));
    for (const daemon of daemons) {
      await until(async () => (await daemon.call('GET', '/configs')).status === 200, 'the manager serves again');
      assert.deepEqual(await configs(daemon), [...written].sort());
    }
    await canWrite(daemons[0]!, 'after-all');
  });

  it('stop cleanly on SIGTERM, the leader handing over', async () => {
    const former = await leader(daemons[0]!);
    assert.equal(await former.end('SIGTERM'), 0, former.output);
    await assert.rejects(stat(former.socket), { code: 'ENOENT' });
    await canWrite(others(former)[0]!, 'after-hand-over');
    assert.match(
      others(former)
        .map((daemon) => daemon.output)
        .join(),
      /planning begins/,
    );
    await former.start();
    await until(async () => (await former.call('GET', '/nodes')).status === 200, 'it is back');
    assert.deepEqual(await configs(former), [...written].sort());
  });

  it('answer 503 at once without a quorum, and serve again with one', async () => {
    const [first, second, third] = daemons as [DaemonProcess, DaemonProcess, DaemonProcess];
    await second.end('SIGKILL');
    await third.end('SIGKILL');
    await until(async () => (await first.call('GET', '/nodes')).status === 503, 'the lone manager refuses');
    const refused = await first.call('POST', '/configs/create', { Name: 'lonely', Data: 'eA==' });
    assert.equal(refused.status, 503, JSON.stringify(refused.body));
    assert.match(refused.body.message, /leader/);
    assert.equal((await first.call('GET', '/_ping')).status, 200);
    await second.start();
    await canWrite(first, 'two-again');
    await third.start();
    await until(async () => (await third.call('GET', '/nodes')).status === 200, 'the third is back');
    assert.deepEqual(await configs(third), [...written].sort());
  });

  it('refuse a second daemon on their state directory, and start over the socket of one that was killed', async () => {
    const [first] = daemons as [DaemonProcess];
    const second = new DaemonProcess(first.directory, '127.0.0.4:1', 'second.sock');
    try {
      await second.start();
      assert.equal(second.exitCode, 1);
      assert.match(second.output, /in use by another shoal daemon/);
    } finally {
      await second.end('SIGKILL');
    }
    assert.equal((await first.call('GET', '/_ping')).status, 200);
  });

  it('go on whatever is thrown at the cluster port', async () => {
    const [host] = daemons[0]!.address.split(':');
    for (const bytes of [
      'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
      '\x16\x03\x01\xff\xff',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      '\0'.repeat(100_000),
    ]) {
      const socket = connect({ host: host!, port });
      socket.on('error', () => {});
      socket.resume();
      socket.write(bytes);
      await new Promise((resolve) => socket.once('close', resolve));
    }
    await canWrite(daemons[0]!, 'after-garbage');
    assert.equal(daemons[0]!.exitCode, null);
  });

  it('say which file is damaged, and go on serving the API', async () => {
    const [first] = daemons as [DaemonProcess];
    await first.end('SIGTERM');
    const path = join(first.directory, 'state', 'node.json');
    const whole = await readFile(path);
    await writeFile(path, whole.subarray(0, 30));
    await first.start();
    await until(
      async () => (await first.ok('GET', '/info')).Swarm.LocalNodeState === 'error',
      'the node says it is broken',
    );
    const { Swarm } = await first.ok('GET', '/info');
    assert.ok(Swarm.Error.includes(path), Swarm.Error);
    await first.end('SIGTERM');
    await writeFile(path, whole);
    await first.start();
    await until(async () => (await first.call('GET', '/nodes')).status === 200, 'it is back');
  });

  it('leave by force; the rest keep their quorum', async () => {
    const [first, second, third] = daemons as [DaemonProcess, DaemonProcess, DaemonProcess];
    const refused = await third.call('POST', '/swarm/leave');
    assert.equal(refused.status, 503);
    assert.match(
      refused.body.message,
      /^You are attempting to leave the swarm on a node that is participating as a manager\./,
    );
    await third.ok('POST', '/swarm/leave?force=true');
    assert.equal((await third.ok('GET', '/info')).Swarm.LocalNodeState, 'inactive');
    await canWrite(first, 'without-third');
    const { Swarm } = await second.ok('GET', '/info');
    assert.equal(Swarm.Managers, 2);
    const again = await third.call('POST', '/swarm/leave');
    assert.equal(again.status, 503);
    assert.equal(again.body.message, 'This node is not part of a swarm');
  });
});
