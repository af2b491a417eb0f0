import 'reflect-metadata';
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import type { Daemon } from '../../../src/daemon/daemon.js';
import { complete } from '../../../src/model/codec.js';
import { type Authority, createAuthority } from '../../../src/security/authority.js';
import { certificatesIn, joinPEM } from '../../../src/security/chain.js';
import { exportKey, ownAlgorithm, signingKey } from '../../../src/security/keys.js';
import { loadNodeFile } from '../../../src/security/node-file.js';
import { Cfssl, hasCfssl } from '../../helpers/cfssl.js';
import { CfsslSigner } from '../../helpers/cfssl-signer.js';
import { Daemons, initRequest, joinRequest, until } from '../../helpers/daemons.js';
import { RaftGroup } from '../../helpers/raft-group.js';

const protocol = 'cfssl';
const year_ms = 365 * 24 * 3600_000;

/** A root of the user's own with this key, or one of its own, under another name and for another time than ours. */
async function rootLike(name: string, { life_ms = 5 * year_ms, keyPEM }: { life_ms?: number; keyPEM?: string } = {}) {
  const keys = (await webcrypto.subtle.generateKey(ownAlgorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  if (keyPEM !== undefined) {
    keys.privateKey = (await signingKey(keyPEM)).key;
    const jwk = await webcrypto.subtle.exportKey('jwk', await extractable(keyPEM));
    const { d: _private, key_ops: _operations, ...spki } = jwk;
    keys.publicKey = await webcrypto.subtle.importKey('jwk', spki, ownAlgorithm, true, ['verify']);
  }
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + life_ms),
    keys,
    signingAlgorithm: ownAlgorithm,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return { certificatePEM: certificate.toString('pem'), keyPEM: keyPEM ?? (await exportKey(keys.privateKey)) };
}

function extractable(keyPEM: string): Promise<webcrypto.CryptoKey> {
  const der = x509.PemConverter.decodeFirst(keyPEM);
  return webcrypto.subtle.importKey('pkcs8', der, ownAlgorithm, true, ['sign']);
}

const itReally = hasCfssl ? it : it.skip;

describe('an external CA', function () {
  this.timeout(90_000);
  let daemons: Daemons;
  let founder: Daemon;
  let address: string;
  let server: { close(): Promise<void> } | undefined;

  beforeEach(async () => {
    daemons = new Daemons(new RaftGroup());
    const options = await daemons.options();
    address = options.listenAddress;
    founder = await daemons.start(options);
  });
  afterEach(async () => {
    await daemons.close();
    await server?.close();
    server = undefined;
  });

  const init = (config: object) =>
    founder.init(initRequest({ spec: complete('SwarmSpec', { CAConfig: { NodeCertExpiry: 7200e9, ...config } }) }));
  const clusterOf = async () => (await founder.manager()!.read()).cluster()!;
  const change = async (config: object) => {
    const { Spec, Version } = await clusterOf();
    const rotate = { workerToken: false, managerToken: false, unlockKey: false };
    const spec = complete('SwarmSpec', { ...Spec, CAConfig: { ...Spec!.CAConfig, ...config } });
    await founder.manager()!.updateSwarm({ version: Version!.Index, spec, rotate });
  };
  const isOver = async () => !(await clusterOf()).RootRotationInProgress;
  const joined = async (role: 'Worker' | 'Manager') => {
    const daemon = await daemons.start(await daemons.options());
    await daemon.join(joinRequest((await clusterOf()).JoinTokens![role], address));
    return daemon;
  };
  const isFrom = async (daemon: Daemon, root: Authority) => {
    const { material } = await loadNodeFile(join(daemons.directoryOf(daemon), 'certificates'));
    return certificatesIn(material.certificatePEM)[0]!.verify(certificatesIn(root.certificatePEM)[0]!.publicKey);
  };
  const ofRoot = (root: Authority, url: string) => ({ Protocol: protocol, URL: url, CACert: root.certificatePEM });

  it('that init names signs nothing before the cluster has its root; then it signs everything', async () => {
    const external = await rootLike('theirs');
    const signer = await CfsslSigner.start(external, external.certificatePEM);
    server = signer;
    await init({ ExternalCAs: [{ Protocol: protocol, URL: signer.url, CACert: '' }] }); // as Docker's client has it
    const own = (await clusterOf()).RootCA!;
    const worker = await joined('Worker');
    assert.equal(await isFrom(worker, { certificatePEM: own.CertificatePEM, keyPEM: '' }), true);
    // Docker's client lets it name the root of the moment whenever it is set: nobody but the cluster has that one's key.
    await change({ ExternalCAs: [{ ...ofRoot(external, signer.url), CACert: own.CertificatePEM }] });
    await joined('Worker');
    assert.deepEqual(signer.signed, []);
    await signer.close();

    const opened = await CfsslSigner.start(external, joinPEM(external.certificatePEM, own.CertificatePEM));
    server = opened;
    await change({ SigningCACert: external.certificatePEM, ExternalCAs: [ofRoot(external, opened.url)] });
    await until(isOver, 'every node has moved');
    assert.equal((await clusterOf()).RootCA!.KeyPEM, '');
    await until(() => isFrom(worker, external), 'the worker’s certificate is from there');
    assert.ok(opened.signed.includes(founder.local().nodeID));
  });

  itReally('signs from the first certificate on when init names its root', async () => {
    const external = await rootLike('theirs');
    const cfssl = await Cfssl.serve(external);
    server = cfssl;
    await assert.rejects(init({ SigningCACert: external.certificatePEM }), /needs its key \(SigningCAKey\), or an ext/);
    assert.equal(founder.local().state, 'inactive');
    await init({ SigningCACert: external.certificatePEM, ExternalCAs: [ofRoot(external, cfssl.url)] });
    const { RootCA, JoinTokens } = await clusterOf();
    assert.equal(RootCA!.KeyPEM, '');
    assert.equal(await isFrom(founder, external), true);
    const worker = await joined('Worker');
    assert.equal(await isFrom(worker, external), true);
    assert.deepEqual((await clusterOf()).JoinTokens, JoinTokens);
    await cfssl.close();
    await assert.rejects(joined('Worker'), /no external CA has signed: https:.*ECONNREFUSED/);
  });

  itReally('is needed as long as the root is its own, until the root’s key is given to the cluster', async () => {
    const external = await rootLike('theirs');
    const cfssl = await Cfssl.serve(external);
    server = cfssl;
    await init({ SigningCACert: external.certificatePEM, ExternalCAs: [ofRoot(external, cfssl.url)] });
    const without = { ExternalCAs: [], SigningCACert: '' };
    await assert.rejects(change(without), /there must be one for the root that signs, whose key no manager has/);
    const other = await rootLike('other');
    await assert.rejects(change({ SigningCACert: external.certificatePEM, SigningCAKey: other.keyPEM }), /not the key/);
    await change({ SigningCACert: external.certificatePEM, SigningCAKey: external.keyPEM, ExternalCAs: [] });
    assert.equal(await isOver(), true, 'the root is the same: nobody has to move');
    await cfssl.close();
    assert.equal(await isFrom(await joined('Worker'), external), true);
  });

  itReally('is not changed to while it cannot be reached, or shows a certificate of another root', async () => {
    await init({});
    const [external, other] = [await rootLike('theirs'), await rootLike('other')];
    const cfssl = await Cfssl.serve(other);
    server = cfssl;
    const to = (url: string) =>
      change({ SigningCACert: external.certificatePEM, ExternalCAs: [ofRoot(external, url)] });
    const words = /at least one valid, reachable external CA corresponding to the desired CA certificate: https:.*: /;
    await assert.rejects(to(cfssl.url), words);
    await cfssl.close();
    await assert.rejects(to(cfssl.url), words);
    assert.equal(await isOver(), true);
  });

  itReally('takes a cluster over, signs, renews, and vouches for what takes its place', async () => {
    await init({});
    const worker = await joined('Worker');
    const external = await rootLike('theirs');
    const own = (await clusterOf()).RootCA!.CertificatePEM;
    const cfssl = await Cfssl.serve(external, joinPEM(own, external.certificatePEM));
    server = cfssl;
    await change({ SigningCACert: external.certificatePEM, ExternalCAs: [ofRoot(external, cfssl.url)] });
    await until(isOver, 'every node has moved to its root');
    const manager = await joined('Manager');
    for (const daemon of [founder, worker, manager]) assert.equal(await isFrom(daemon, external), true);

    await change({ SigningCACert: '', ForceRotate: 1 });
    await until(isOver, 'every node has moved to a root of the cluster’s own');
    const { RootCA } = await clusterOf();
    assert.notEqual(RootCA!.KeyPEM, '');
    await cfssl.close();
    const next = { certificatePEM: RootCA!.CertificatePEM, keyPEM: '' };
    for (const daemon of [founder, worker, manager, await joined('Worker')]) {
      await until(() => isFrom(daemon, next), 'its certificate is from the new root');
    }
  });
});

describe('a root of the user’s own', function () {
  this.timeout(60_000);
  let daemons: Daemons;
  beforeEach(() => {
    daemons = new Daemons(new RaftGroup());
  });
  afterEach(() => daemons.close());

  const founded = async (config: object) => {
    const founder = await daemons.start(await daemons.options());
    await founder.init(
      initRequest({ spec: complete('SwarmSpec', { CAConfig: { NodeCertExpiry: 7200e9, ...config } }) }),
    );
    return founder;
  };
  const clusterOf = async (founder: Daemon) => (await founder.manager()!.read()).cluster()!;

  it('may be that of a cluster from the beginning, and its key is shown to nobody', async () => {
    const root = await rootLike('ours');
    const founder = await founded({ SigningCACert: root.certificatePEM, SigningCAKey: root.keyPEM });
    const cluster = await clusterOf(founder);
    assert.equal(cluster.RootRotationInProgress, false);
    assert.equal(joinPEM(cluster.TLSInfo!.TrustRoot), joinPEM(root.certificatePEM));
    assert.equal(cluster.Spec!.CAConfig!.SigningCAKey, '');
    assert.equal(founder.local().state, 'active');
  });

  it('is refused when it ends within a year, or has the key of the present one under another name', async () => {
    const root = await rootLike('ours');
    const founder = await founded({ SigningCACert: root.certificatePEM, SigningCAKey: root.keyPEM });
    const change = async ({ certificatePEM: SigningCACert, keyPEM: SigningCAKey }: Authority) => {
      const { Spec, Version } = await clusterOf(founder);
      const spec = complete('SwarmSpec', { ...Spec, CAConfig: { ...Spec!.CAConfig, SigningCACert, SigningCAKey } });
      const rotate = { workerToken: false, managerToken: false, unlockKey: false };
      await founder.manager()!.updateSwarm({ version: Version!.Index, spec, rotate });
    };
    await assert.rejects(change(await rootLike('new', { life_ms: year_ms / 2 })), /CA certificate expires too soon/);
    await assert.rejects(change(await rootLike('new', { keyPEM: root.keyPEM })), /a cert with an identical key/);
    assert.equal((await clusterOf(founder)).RootRotationInProgress, false);
    await change(await createAuthority(Date.now()));
    assert.equal((await clusterOf(founder)).RootCA!.IsOwn, false);
  });
});
