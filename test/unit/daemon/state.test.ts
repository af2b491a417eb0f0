import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockStateDirectory } from '../../../src/daemon/lock.js';
import { type NodeState, StateDirectory } from '../../../src/daemon/state.js';

describe('the state directory', () => {
  let path: string;
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'shoal-state-'));
  });
  afterEach(() => rm(path, { recursive: true, force: true }));

  const state: NodeState = {
    nodeID: 'node000000000000000000001',
    clusterID: 'cluster00000000000000000a',
    role: 'manager',
    listenAddress: '0.0.0.0:2377',
    advertiseAddress: '10.0.0.1:2377',
    dataPathAddress: '',
    raftID: 3,
    forgottenRaftID: 2,
    managers: [{ NodeID: 'node000000000000000000001', Addr: '10.0.0.1:2377' }],
    trustedManagers: ['node000000000000000000001'],
    trustedAsOf: 12,
  };

  it('gives back what was saved, readable by its owner only', async () => {
    const directory = new StateDirectory(path);
    assert.equal(await directory.load(), undefined);
    await directory.save(state);
    assert.deepEqual(await directory.load(), state);
    assert.equal((await stat(directory.nodeFile)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(path), ['node.json'], 'no drafts are left');
  });

  it('names the file and the field when it is damaged', async () => {
    const directory = new StateDirectory(path);
    for (const [text, complaint] of [
      ['', /node\.json: damaged/],
      ['null', /it is not an object/],
      ['[]', /format/],
      [JSON.stringify({ format: 2, ...state }), /format: 2/],
      [JSON.stringify({ format: 1, ...state, role: 'king' }), /role/],
      [JSON.stringify({ format: 1, ...state, raftID: -1 }), /raftID/],
      [JSON.stringify({ format: 1, ...state, nodeID: '../../etc' }), /nodeID/],
      [JSON.stringify({ format: 1, ...state, managers: 7 }), /managers/],
      [JSON.stringify({ format: 1, ...state, listenAddress: null }), /listenAddress/],
    ] as const) {
      await writeFile(directory.nodeFile, text);
      await assert.rejects(directory.load(), complaint, text);
    }
  });

  it('names the file that cannot be written', async () => {
    const directory = new StateDirectory(path);
    await mkdir(join(directory.nodeFile, 'below'), { recursive: true });
    await assert.rejects(directory.save(state), { message: /node\.json: cannot be written: E/ });
  });

  it('is cleared of whatever stands in the place of node.json', async () => {
    const directory = new StateDirectory(path);
    await mkdir(join(directory.nodeFile, 'below'), { recursive: true });
    await mkdir(directory.raft);
    assert.deepEqual(await directory.remains(), [directory.raft]);
    await directory.clear();
    assert.equal(await directory.load(), undefined);
    assert.deepEqual(await directory.remains(), []);
  });

  it('is held by one daemon at a time, and free again after it, however it ended', async () => {
    const lock = await lockStateDirectory(path);
    await assert.rejects(lockStateDirectory(path), /in use by another shoal daemon/);
    await lock.release();
    await (await lockStateDirectory(path)).release();
  });

  it('is not kept by the lock of a daemon that was killed', async () => {
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(join(path, 'own'), resolve));
    const { link } = await import('node:fs/promises');
    await link(join(path, 'own'), join(path, 'lock')); // closing removes `own` only: what kill -9 leaves
    await new Promise((resolve) => dead.close(resolve));
    await (await lockStateDirectory(path)).release();
  });

  it('is refused where no directory can be made, with the reason', async () => {
    await assert.rejects(
      lockStateDirectory('/proc/nothing/here'),
      /state directory \/proc\/nothing\/here: cannot be used: ENOENT/,
    );
    await writeFile(join(path, 'file'), '');
    await assert.rejects(lockStateDirectory(join(path, 'file')), /cannot be used: EEXIST/);
    await assert.rejects(lockStateDirectory(join(path, 'file', 'below')), /cannot be used: ENOTDIR/);
  });

  it('is refused where this user may not write, with what to do', async function () {
    if (process.geteuid?.() !== 0) this.skip(); // root alone can be somebody else for a moment
    await chmod(path, 0o555);
    process.seteuid!(65_534);
    try {
      const message = /^state directory .*: cannot be used: .*EACCES.*\. Run the daemon as root, or name/;
      await assert.rejects(lockStateDirectory(path), { message });
      await assert.rejects(lockStateDirectory(join(path, 'below')), { message });
    } finally {
      process.seteuid!(0);
    }
  });

  it('may have a path longer than a socket can', async () => {
    const long = join(path, 'x'.repeat(120), 'y'.repeat(120));
    const lock = await lockStateDirectory(long);
    await assert.rejects(lockStateDirectory(long), /in use/);
    await lock.release();
  });
});
