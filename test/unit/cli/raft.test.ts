import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode } from '../../../src/model/codec.js';
import type { Entry } from '../../../src/raft/core/types.js';
import { nodeDisk } from '../../../src/raft/log/node-disk.js';
import { RaftStorage } from '../../../src/raft/log/storage.js';
import { encodeMembership } from '../../../src/raft/wire/membership.js';
import { createAuthority } from '../../../src/security/authority.js';
import { KeyRing, newDataKey } from '../../../src/security/key-ring.js';
import { saveNodeFile } from '../../../src/security/node-file.js';
import { newUnlockKey } from '../../../src/security/unlock-key.js';
import { materialFor, nodeID } from '../../helpers/certificates.js';
import { cli } from '../../helpers/cli.js';
import { type FakeDaemon, startFakeDaemon } from '../../helpers/fake-daemon.js';

const secret = {
  ID: 'secret0000000000000000001',
  Spec: { Name: 'key', Data: Buffer.from('hidden').toString('base64') },
};

describe("shoal raft, on a manager's state directory", () => {
  let daemon: FakeDaemon;
  let directory: string;
  before(async () => {
    daemon = await startFakeDaemon();
  });
  after(() => daemon.close());

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'shoal-verify-'));
    const disk = await nodeDisk(join(directory, 'raft'));
    const { storage } = await RaftStorage.open(disk, { segmentBytes: 100_000 });
    const members = { voters: [{ id: 1, nodeID: 'n', address: '10.0.0.1:2377' }], learners: [] };
    const create = { Action: 'create', ID: secret.ID, Secret: secret };
    const contents: [Entry['type'], Uint8Array][] = [
      ['membership', encodeMembership(members)],
      ['noop', Buffer.alloc(0)],
      ['normal', encode('Transaction', { Origin: 'api', Time: '2026-01-01T00:00:00Z', Operations: [create] })],
      ['normal', Buffer.from('no \x1b[31mtransaction')],
      ['normal', Buffer.from('')],
    ];
    for (const [place, [type, data]] of contents.entries()) {
      const entry: Entry = { index: place + 1, term: 1, type, data, session: 0, sequence: 0 };
      await storage.append({ entries: [entry], hardState: { term: 1, vote: 1, commit: place } });
    }
    await storage.close();
  });
  afterEach(() => rm(directory, { recursive: true }));

  const raft = (...args: string[]) => cli(daemon, ['raft', ...args, '--state-dir', directory]);

  it('verify says what is there, whom it votes for and who the members are, and changes nothing', async () => {
    await writeFile(join(directory, 'raft', 'snapshot-writing.tmp'), 'left over');
    const { code, out, err } = await raft('verify');
    assert.deepEqual([code, err], [0, '']);
    assert.match(out, /^FILE +BYTES +RECORDS +ENTRIES +STATE\nwal-000000000001 +\d+ +11 +1-5 +ok\n/);
    assert.match(out, /Entries 1 to 5, the last of term 1\nTerm 1, vote 1, committed up to 4 at least\n/);
    assert.match(out, /Members: 1 10\.0\.0\.1:2377\n$/);
    assert.deepEqual((await readdir(join(directory, 'raft'))).sort(), ['snapshot-writing.tmp', 'wal-000000000001']);
    assert.deepEqual(await raft('verify', '-q'), { code: 0, out: '', err: '' });
  });

  it('verify names file, offset and entry of a damage, says what can be done, and ends with 1', async () => {
    const file = join(directory, 'raft', 'wal-000000000001');
    const content = await readFile(file);
    const at = content.indexOf('transaction');
    content[at] = 0;
    await writeFile(file, content);
    const { code, out, err } = await raft('verify');
    assert.equal(code, 1);
    assert.match(out, /wal-000000000001 +\d+ +7 +1-3 +damaged at offset \d+\n/);
    assert.match(err, /file wal-000000000001, offset \d+, at entry 4: .*from a copy; or, .*join again/);
    assert.equal((await raft('dump')).code, 1);
  });

  it('verify tells a write that was cut off from damage', async () => {
    const file = join(directory, 'raft', 'wal-000000000001');
    const content = await readFile(file);
    await writeFile(file, content.subarray(0, content.length - 3));
    const { code, out } = await raft('verify');
    assert.equal(code, 0);
    assert.match(out, /torn at offset \d+: a write that was cut off, harmless/);
  });

  it('dump shows every record in words that a terminal can take, and no secret', async () => {
    const { code, out } = await raft('dump');
    assert.equal(code, 0);
    assert.match(out, /^FILE +OFFSET +BYTES +TYPE +INDEX +TERM +CONTENT\nwal-000000000001 +0 +\d+ +head /);
    assert.match(out, / membership +1 +1 +1 10\.0\.0\.1:2377\n/);
    assert.match(out, / state +1 +vote 1, committed 2\n/);
    assert.match(out, / noop +2 +1 +opens the term\n/);
    assert.match(out, / normal +3 +1 +api: create secret secret0000000000000000001\n/);
    assert.match(out, / normal +4 +1 +\d+ bytes that cannot be read: /);
    assert.ok(!out.includes('hidden') && !out.includes(secret.Spec.Data) && !out.includes('\x1b'));
    const some = await raft('dump', '--from', '2', '--to', '3');
    assert.equal(some.out.trim().split('\n').length, 3);
    assert.equal((await raft('dump', '--from', 'x')).code, 125);
  });

  it("opens an encrypted log with the manager's keys, and asks for the key that they are locked with", async () => {
    const dataKeys = [newDataKey([])];
    await rm(join(directory, 'raft'), { recursive: true });
    const disk = await nodeDisk(join(directory, 'raft'));
    const { storage } = await RaftStorage.open(disk, { segmentBytes: 100_000, sealer: new KeyRing(dataKeys) });
    await storage.append({
      entries: [{ index: 1, term: 1, type: 'noop', data: Buffer.alloc(0), session: 0, sequence: 0 }],
    });
    await storage.close();
    assert.match((await raft('verify')).err, /the log is encrypted, and its keys are not in .*certificates/);

    await mkdir(join(directory, 'certificates'));
    const material = await materialFor(await createAuthority(Date.now()), nodeID(1), 'manager');
    const content = { material, dataKeys, lockedAsOf: 0 };
    await saveNodeFile(join(directory, 'certificates'), content);
    assert.match((await raft('verify')).out, /wal-000000000001 +\d+ +2 +1-1 +ok/);
    const key = newUnlockKey();
    await saveNodeFile(join(directory, 'certificates'), content, key);
    const locked = (input: string) =>
      cli(daemon, ['raft', 'verify', '--state-dir', directory], { input: `${input}\n` });
    assert.match((await locked(key)).out, /wal-000000000001 +\d+ +2 +1-1 +ok/);
    assert.match((await locked(newUnlockKey())).err, /invalid key/);
  });

  it('takes a copy of the raft directory too, and says what it expects of anything else', async () => {
    const copy = join(directory, 'copy');
    await cp(join(directory, 'raft'), copy, { recursive: true });
    assert.equal((await cli(daemon, ['raft', 'verify', '--state-dir', copy])).code, 0);
    for (const path of [join(directory, 'nothing'), join(directory, 'raft', 'wal-000000000001'), tmpdir()]) {
      const { code, err } = await cli(daemon, ['raft', 'verify', '--state-dir', path]);
      assert.equal(code, 1);
      assert.ok(err.startsWith(`${path}: `), err);
    }
    await rm(join(directory, 'raft', 'wal-000000000001'));
    const { code, err } = await raft('verify');
    assert.equal(code, 1);
    assert.match(err, /the raft log of this manager is gone/);
  });
});
