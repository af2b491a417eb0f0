import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority, createSigningRequest, signNodeCertificate } from '../../../src/security/authority.js';
import { Credentials, type Material, subjectOf } from '../../../src/security/credentials.js';
import { identityFrom } from '../../../src/security/identity.js';
import { newDataKey } from '../../../src/security/key-ring.js';
import { loadNodeFile, saveNodeFile } from '../../../src/security/node-file.js';
import { newUnlockKey } from '../../../src/security/unlock-key.js';
import { clusterID, materialFor, nodeID } from '../../helpers/certificates.js';

const day_ms = 24 * 3600 * 1000;

describe('node certificates', () => {
  it('say who the node is, whatever the request said', async () => {
    const now_ms = Date.now();
    const authority = await createAuthority(now_ms);
    const request = await createSigningRequest();
    const identity = { nodeID: nodeID(1), role: 'manager' as const, clusterID, asOf: 17 };
    const pem = await signNodeCertificate(authority, request.requestPEM, identity, { now_ms, expiry_ms: 90 * day_ms });
    const certificate = new X509Certificate(pem);
    assert.deepEqual(identityFrom(subjectOf(certificate), certificate.subjectAltName), identity);
    assert.equal(certificate.subjectAltName, `DNS:swarm-manager, DNS:${nodeID(1)}, DNS:entry-17`);
    assert.ok(certificate.verify(new X509Certificate(authority.certificatePEM).publicKey));
    assert.equal(certificate.ca, false);
    const left_ms = Date.parse(certificate.validTo) - now_ms;
    assert.ok(Math.abs(left_ms - 90 * day_ms) < 2000, `${left_ms}`);
  });

  it('never outlive the root', async () => {
    const long_ago_ms = Date.now() - 20 * 365 * day_ms + 5 * day_ms;
    const authority = await createAuthority(long_ago_ms);
    const { requestPEM } = await createSigningRequest();
    const identity = { nodeID: nodeID(1), role: 'worker' as const, clusterID, asOf: 0 };
    const pem = await signNodeCertificate(authority, requestPEM, identity, {
      now_ms: Date.now(),
      expiry_ms: 90 * day_ms,
    });
    assert.equal(new X509Certificate(pem).validTo, new X509Certificate(authority.certificatePEM).validTo);
  });

  it('are not given for broken requests', async () => {
    const authority = await createAuthority(Date.now());
    const { requestPEM } = await createSigningRequest();
    const identity = { nodeID: nodeID(1), role: 'worker' as const, clusterID, asOf: 0 };
    const lines = requestPEM.split('\n');
    const flipped = [...lines];
    flipped[5] = flipped[5]!.startsWith('AAAA') ? `BBBB${flipped[5]!.slice(4)}` : `AAAA${flipped[5]!.slice(4)}`;
    for (const bad of ['', 'x', lines.slice(0, 3).join('\n'), flipped.join('\n'), authority.certificatePEM]) {
      await assert.rejects(
        signNodeCertificate(authority, bad, identity, { now_ms: Date.now(), expiry_ms: day_ms }),
        { code: 'invalid-argument' },
        JSON.stringify(bad),
      );
    }
  });
});

describe('credentials on disk', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'shoal-certificates-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));
  const save = (material: Material, unlockKey = '') =>
    saveNodeFile(directory, { material, dataKeys: [newDataKey([])], lockedAsOf: 5 }, unlockKey);

  it('come back as they were saved, and the key is for its owner only', async () => {
    const material = await materialFor(await createAuthority(Date.now()), nodeID(1), 'worker');
    await save(material);
    const loaded = new Credentials((await loadNodeFile(directory)).material);
    assert.equal(loaded.identity.nodeID, nodeID(1));
    assert.equal((await stat(join(directory, 'swarm-node.pem'))).mode & 0o777, 0o600);
  });

  it('show no key under a lock, and come back with the one key that fits', async () => {
    const material = await materialFor(await createAuthority(Date.now()), nodeID(1), 'manager');
    const key = newUnlockKey();
    await save(material, key);
    const text = await readFile(join(directory, 'swarm-node.pem'), 'utf8');
    assert.ok(!text.includes('PRIVATE KEY') && !text.includes('DATA KEYS'), text);
    await assert.rejects(loadNodeFile(directory), { code: 'locked', message: /Please use "docker swarm unlock"/ });
    await assert.rejects(loadNodeFile(directory, newUnlockKey()), {
      code: 'invalid-argument',
      message: 'swarm could not be unlocked: invalid key provided',
    });
    await assert.rejects(loadNodeFile(directory, 'SWMKEY-1-x'), { message: 'invalid key string' });
    const { material: loaded, dataKeys, lockedAsOf } = await loadNodeFile(directory, key);
    assert.equal(new Credentials(loaded).identity.nodeID, nodeID(1));
    assert.deepEqual([dataKeys.length, lockedAsOf], [1, 5]);
    await save(material);
    assert.deepEqual((await loadNodeFile(directory)).dataKeys.length, 1);
  });

  it('are refused by name when damaged, foreign or gone', async () => {
    const authority = await createAuthority(Date.now());
    await assert.rejects(loadNodeFile(directory), /swarm-node\.pem: cannot be read/);
    await save(await materialFor(authority, nodeID(1), 'worker'));
    const path = join(directory, 'swarm-node.pem');
    const whole = await readFile(path, 'utf8');
    await writeFile(path, whole.slice(0, whole.length / 2));
    await assert.rejects(loadNodeFile(directory), /swarm-node\.pem.*damaged/);
    const block = /(-----BEGIN SHOAL DATA KEYS-----\n)[^-]*/;
    for (const garbled of ['hush-hush', '{"dataKeys":hush-hush}', '{"dataKeys":[{"id":1,"key":"hush-hush"}]}']) {
      await writeFile(path, whole.replace(block, `$1${Buffer.from(garbled).toString('base64')}\n`));
      await assert.rejects(loadNodeFile(directory), ({ code, message }) => {
        assert.match(message, /swarm-node\.pem.*damaged: .*data key/);
        return code === 'failed-precondition' && !message.includes('hush');
      });
    }
    await writeFile(path, whole);
    await writeFile(join(directory, 'swarm-root-ca.crt'), (await createAuthority(Date.now())).certificatePEM);
    await assert.rejects(loadNodeFile(directory), /damaged: the node certificate is not signed/);
  });

  it('keep the old material when the new does not fit together', async () => {
    const authority = await createAuthority(Date.now());
    const [one, two] = [
      await materialFor(authority, nodeID(1), 'worker'),
      await materialFor(authority, nodeID(1), 'manager'),
    ];
    const credentials = new Credentials(one);
    assert.throws(() => credentials.swap({ ...two, keyPEM: one.keyPEM }), /another key/);
    assert.equal(credentials.identity.role, 'worker');
    credentials.swap(two);
    assert.equal(credentials.identity.role, 'manager');
  });
});
