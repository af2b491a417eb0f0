import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeVault } from '../../../src/daemon/node-vault.js';
import { createAuthority } from '../../../src/security/authority.js';
import { newUnlockKey } from '../../../src/security/unlock-key.js';
import { materialFor, nodeID } from '../../helpers/certificates.js';

describe("a node's keys", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'shoal-vault-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const isLocked = () =>
    NodeVault.open(directory).then(
      () => false,
      ({ code }) => code === 'locked',
    );

  it('stay locked whatever else changes at the same time, and when old wishes are heard again', async () => {
    const authority = await createAuthority(Date.now());
    await NodeVault.create(directory, await materialFor(authority, nodeID(1), 'manager'));
    const vault = await NodeVault.open(directory);
    const ring = await vault.sealer();
    const sealed = ring.seal(Buffer.from('before'), 'x');
    const [key, renewed] = [newUnlockKey(), await materialFor(authority, nodeID(1), 'manager')];
    const both = await Promise.all([vault.lockWith(key, 10), vault.keepMaterial(renewed), vault.lockWith('', 9)]);
    assert.deepEqual(both, [true, undefined, false]);
    assert.equal(await isLocked(), true);
    assert.equal(await vault.lockWith('', 10), false);
    const again = await NodeVault.open(directory, key);
    assert.equal(again.material.keyPEM.trim(), renewed.keyPEM.trim());
    const after = await again.sealer();
    assert.equal(after.open(sealed, 'x').toString(), 'before');
    assert.equal(after.keys.length, 2, 'a new lock brings a new data key');
    assert.equal(ring.open(after.seal(Buffer.from('now'), 'x'), 'x').toString(), 'now');
    await again.dropUnusedKeys();
    assert.equal((await (await NodeVault.open(directory, key)).sealer()).keys.length, 2, 'both are still needed');
    const late = await NodeVault.open(directory, key);
    await late.sealer();
    await late.dropUnusedKeys();
    assert.equal((await (await NodeVault.open(directory, key)).sealer()).keys.length, 1);
    await late.becomeWorkers();
    assert.equal(await isLocked(), false);
  });
});
