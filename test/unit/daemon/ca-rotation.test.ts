import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Daemon } from '../../../src/daemon/daemon.js';
import { managersFor } from '../../../src/manager/dispatcher/managers.js';
import { complete } from '../../../src/model/codec.js';
import { createAuthority, createSigningRequest, signNodeCertificate } from '../../../src/security/authority.js';
import { certificatesIn, joinPEM } from '../../../src/security/chain.js';
import { Credentials } from '../../../src/security/credentials.js';
import { loadNodeFile } from '../../../src/security/node-file.js';
import { rootDigest } from '../../../src/security/tokens.js';
import { CfsslSigner } from '../../helpers/cfssl-signer.js';
import { Daemons, initRequest, joinRequest, until } from '../../helpers/daemons.js';
import { RaftGroup } from '../../helpers/raft-group.js';

describe("the cluster's root", function () {
  this.timeout(90_000);
  let daemons: Daemons;
  let founder: Daemon;
  let address: string;
  let signer: CfsslSigner | undefined;

  beforeEach(async () => {
    daemons = new Daemons(new RaftGroup());
    const options = await daemons.options();
    address = options.listenAddress;
    founder = await daemons.start(options);
    await founder.init(initRequest());
  });
  afterEach(async () => {
    await daemons.close();
    await signer?.close();
    signer = undefined;
  });

  const clusterOf = async () => (await founder.manager()!.read()).cluster()!;
  const change = async (config: object) => {
    const { Spec, Version } = await clusterOf();
    const rotate = { workerToken: false, managerToken: false, unlockKey: false };
    const spec = complete('SwarmSpec', { ...Spec, CAConfig: { ...Spec!.CAConfig, ...config } });
    await founder.manager()!.updateSwarm({ version: Version!.Index, spec, rotate });
  };
  const joined = async (role: 'Worker' | 'Manager') => {
    const daemon = await daemons.start(await daemons.options());
    await daemon.join(joinRequest((await clusterOf()).JoinTokens![role], address));
    return daemon;
  };
  const materialOf = async (daemon: Daemon) =>
    (await loadNodeFile(join(daemons.directoryOf(daemon), 'certificates'))).material;
  const rootFile = (daemon: Daemon) =>
    readFile(join(daemons.directoryOf(daemon), 'certificates/swarm-root-ca.crt'), 'utf8');
  const epochs = async (...all: Daemon[]) => {
    const view = await founder.manager()!.read();
    return all.map((one) => view.get('Node', one.local().nodeID)?.Status?.SessionEpoch);
  };
  const isOver = async () => !(await clusterOf()).RootRotationInProgress;

  it('is replaced without a session being lost; a node that was away comes back, and only then is the old root trusted no more', async () => {
    const [second, worker, late] = [await joined('Manager'), await joined('Worker'), await joined('Worker')];
    const sessions = [founder, second, worker];
    await until(async () => (await epochs(...sessions)).every((epoch) => (epoch ?? 0) > 0), 'all have sessions');
    const managers = [founder, second].map((one) => ({ nodeID: one.local().nodeID, address: '' }));
    await until(async () => {
      const view = await founder.manager()!.read();
      return sessions.every((one) => {
        const { nodeID } = one.local();
        const preferred = managersFor(nodeID, managers).Managers!.find(({ Preferred }) => Preferred)!;
        return view.get('Node', nodeID)?.Status?.SessionManager === preferred.NodeID;
      });
    }, 'every session is with the manager that it goes to by itself');
    const before = await clusterOf();
    const lateOptions = daemons.optionsOf(late);
    await late.stop();
    const held = await epochs(...sessions);
    await change({ ForceRotate: 1 });
    const during = await clusterOf();
    assert.equal(during.RootRotationInProgress, true);
    assert.equal(during.TLSInfo!.TrustRoot, before.TLSInfo!.TrustRoot, 'joining nodes still check the old root');
    const next = during.RootCA!.Rotation!.CertificatePEM;
    await until(async () => {
      const all = await Promise.all(sessions.map(materialOf));
      return all.every(({ certificatePEM, rootPEM }) => {
        const isNew = certificatesIn(certificatePEM)[0]!.verify(certificatesIn(next)[0]!.publicKey);
        return isNew && certificatesIn(rootPEM).length === 2;
      });
    }, 'everyone who is there has moved');
    const joiner = await joined('Worker');
    assert.equal(joiner.local().state, 'active', 'nodes join meanwhile');
    assert.equal(await isOver(), false, 'the node that is away is waited for');

    const back = await daemons.start(lateOptions);
    await until(() => back.local().state === 'active', 'the node that was away is back');
    await until(isOver, 'the rotation is over');
    await until(async () => {
      const roots = await Promise.all([...sessions, back, joiner].map(rootFile));
      return roots.every((root) => root === joinPEM(next));
    }, 'only the new root is trusted, everywhere');
    assert.deepEqual(await epochs(...sessions), held, 'the sessions are those from before');
    const after = await clusterOf();
    assert.equal(joinPEM(after.RootCA!.CertificatePEM), joinPEM(next));
    assert.equal(joinPEM(after.TLSInfo!.TrustRoot), joinPEM(next));
    assert.ok(after.JoinTokens!.Worker.includes(rootDigest(next)), 'tokens name the new root');
    const stranger = await daemons.start(await daemons.options());
    await assert.rejects(stranger.join(joinRequest(before.JoinTokens!.Worker, address)), /does not match fingerprint/);
    await stranger.join(joinRequest(after.JoinTokens!.Manager, address));
    assert.ok(stranger.manager());

    // What the old root signs from now on, by a thief of its key, is worth nothing.
    const { requestPEM, keyPEM } = await createSigningRequest();
    const identity = { nodeID: founder.local().nodeID, role: 'manager' as const, clusterID: after.ID, asOf: 10 ** 9 };
    const old = { certificatePEM: before.RootCA!.CertificatePEM, keyPEM: before.RootCA!.KeyPEM };
    const forged = await signNodeCertificate(old, requestPEM, identity, { now_ms: Date.now(), expiry_ms: 3600_000 });
    const thief = new Credentials({ keyPEM, certificatePEM: forged, rootPEM: joinPEM(old.certificatePEM, next) });
    const { callOnce } = await import('../../../src/security/rpc.js');
    const call = callOnce(
      'Membership',
      'JoinRaft',
      address,
      { Addr: 'h:1' },
      { credentials: thief.credentials(), timeout_ms: 3_000 },
    );
    await assert.rejects(call, { code: 'unavailable' });
  });

  it("may be the user's own, whose key is never shown; what cannot be a root is refused by name", async () => {
    const own = await createAuthority(Date.now());
    const other = await createAuthority(Date.now());
    const given = (cert: string, key: string) => change({ SigningCACert: cert, SigningCAKey: key });
    await assert.rejects(given('x', own.keyPEM), /SigningCACert: must be one certificate in PEM; 0 were found/);
    await assert.rejects(given(own.certificatePEM, other.keyPEM), /SigningCAKey: it is not the key of SigningCACert/);
    await assert.rejects(given(own.certificatePEM, 'x'), /not a private key in PEM/);
    await assert.rejects(given(own.certificatePEM, ''), /needs its key \(SigningCAKey\), or an external CA/);
    await assert.rejects(given('', own.keyPEM), /needs the certificate that it belongs to/);
    const { material } = await loadNodeFile(join(daemons.directoryOf(founder), 'certificates'));
    await assert.rejects(given(material.certificatePEM, material.keyPEM), /not the certificate of a CA/);
    assert.equal(await isOver(), true);

    await given(own.certificatePEM, own.keyPEM);
    await until(isOver, 'the rotation is over');
    const cluster = await clusterOf();
    assert.equal(joinPEM(cluster.TLSInfo!.TrustRoot), joinPEM(own.certificatePEM));
    assert.equal(cluster.Spec!.CAConfig!.SigningCAKey, '');
    await change({ NodeCertExpiry: 2 * 3600e9 });
    assert.equal(await isOver(), true, 'settings that name the root that it is begin nothing');
    const worker = await joined('Worker');
    const [leaf] = certificatesIn((await materialOf(worker)).certificatePEM);
    const left_ms = Date.parse(leaf!.validTo) - Date.now();
    assert.ok(left_ms > 1.9 * 3600e3 && left_ms < 2.1 * 3600e3, 'certificates live as long as was said');
  });

  it('may be with an external CA, which then signs every certificate, and is believed only what was asked of it', async () => {
    const external = await createAuthority(Date.now());
    signer = await CfsslSigner.start(external, (await clusterOf()).RootCA!.CertificatePEM);
    const ExternalCAs = [{ Protocol: 'cfssl', URL: signer.url, CACert: external.certificatePEM }];
    await change({ SigningCACert: external.certificatePEM, ExternalCAs });
    await until(isOver, 'the rotation is over');
    assert.equal((await clusterOf()).RootCA!.KeyPEM, '', 'its key is not here');
    const worker = await joined('Worker');
    assert.ok(signer.signed.includes(worker.local().nodeID));
    const nodes = (await founder.manager()!.read()).count('Node');
    signer.refuses = true;
    await assert.rejects(joined('Worker'), /no external CA has signed: https:.*did not sign the request/);
    signer.refuses = false;
    signer.signer = await createAuthority(Date.now());
    await assert.rejects(joined('Worker'), /not from the cluster's root/);
    assert.equal((await founder.manager()!.read()).count('Node'), nodes, 'what failed to join is no node');
  });

  it('is replaced also when only an external CA has its key, which then vouches for the new one', async () => {
    const external = await createAuthority(Date.now());
    signer = await CfsslSigner.start(external, (await clusterOf()).RootCA!.CertificatePEM);
    const ofExternal = { Protocol: 'cfssl', URL: signer.url, CACert: external.certificatePEM };
    await change({ SigningCACert: external.certificatePEM, ExternalCAs: [ofExternal] });
    await until(isOver, 'the external CA is the one');
    const [worker, late] = [await joined('Worker'), await joined('Worker')];
    await until(async () => (await epochs(founder, worker, late)).every((epoch) => (epoch ?? 0) > 0), 'all are there');
    const lateOptions = daemons.optionsOf(late);
    await late.stop();
    const before = await clusterOf();
    const newRoot = { SigningCACert: '', ForceRotate: 1 };

    const elsewhere = await createAuthority(Date.now());
    const other = { Protocol: 'cfssl', URL: signer.url, CACert: elsewhere.certificatePEM };
    await assert.rejects(
      change({ SigningCACert: elsewhere.certificatePEM, ExternalCAs: [ofExternal, other] }),
      /from one external CA to a different external CA is not supported/,
    );
    await assert.rejects(
      change({ ...newRoot, ExternalCAs: [] }),
      /must provide an external CA for the current external/,
    );
    signer.refuses = true;
    await assert.rejects(change(newRoot), { code: 'unavailable', message: /did not sign the request/ });
    signer.refuses = false;
    signer.signer = elsewhere;
    await assert.rejects(change(newRoot), /has signed for the new root is not from the present root/);
    signer.signer = external;
    assert.deepEqual(await clusterOf(), before, 'what was refused changed nothing');

    // One that names no root is the present root's, and does not come to sign for the new one.
    const held = await epochs(founder, worker);
    await change({ ...newRoot, ExternalCAs: [{ ...ofExternal, CACert: '' }] });
    assert.equal((await clusterOf()).TLSInfo!.TrustRoot, before.TLSInfo!.TrustRoot);
    assert.notEqual((await clusterOf()).TLSInfo!.CertIssuerPublicKey, before.TLSInfo!.CertIssuerPublicKey);
    const joiner = await joined('Worker');
    assert.equal(signer.signed.includes(joiner.local().nodeID), false);
    const back = await daemons.start(lateOptions);
    await until(() => back.local().state === 'active', 'the node that was away is back');
    await until(isOver, 'the rotation is over');
    const after = await clusterOf();
    assert.notEqual(after.RootCA!.KeyPEM, '', 'the key is here now');
    await until(async () => (await rootFile(worker)) === after.TLSInfo!.TrustRoot, 'only the new root is trusted');
    assert.deepEqual(await epochs(founder, worker), held, 'the sessions are those from before');
  });

  it('is replaced by yet another while not everybody has moved, and nobody is lost on the way', async () => {
    const [worker, late, gone] = [await joined('Worker'), await joined('Worker'), await joined('Worker')];
    const all = [founder, worker, late, gone];
    await until(async () => (await epochs(...all)).every((epoch) => (epoch ?? 0) > 0), 'all are there');
    const issuer = async (daemon: Daemon) => {
      const { certificatePEM } = await materialOf(daemon);
      const { Rotation } = (await clusterOf()).RootCA!;
      return certificatesIn(certificatePEM)[0]!.verify(certificatesIn(Rotation!.CertificatePEM)[0]!.publicKey);
    };
    const [lateOptions, goneOptions] = [daemons.optionsOf(late), daemons.optionsOf(gone)];
    await gone.stop(); // with a certificate of the first root
    await change({ ForceRotate: 1 });
    await until(
      async () => (await issuer(worker)) && (await issuer(late)),
      'two have a certificate of the second root',
    );
    await late.stop();
    const held = await epochs(founder, worker);
    await change({ ForceRotate: 2 });
    const third = (await clusterOf()).RootCA!.Rotation!.CertificatePEM;
    await until(
      async () => (await issuer(worker)) && (await issuer(founder)),
      'who is there has moved on to the third',
    );
    assert.equal(await isOver(), false);
    for (const options of [lateOptions, goneOptions]) await daemons.start(options);
    await until(isOver, 'who was away has as well');
    await until(async () => (await rootFile(worker)) === joinPEM(third), 'only the third is trusted');
    assert.deepEqual(await epochs(founder, worker), held, 'the sessions are those from before');
  });

  it('is given back while not everybody has moved, as if nothing had been', async () => {
    const worker = await joined('Worker');
    const late = await joined('Worker');
    await until(async () => (await epochs(worker, late)).every((epoch) => (epoch ?? 0) > 0), 'both are there');
    const lateOptions = daemons.optionsOf(late);
    await late.stop();
    const before = await clusterOf();
    await change({ ForceRotate: 1 });
    const issuerOf = async (daemon: Daemon) => {
      const node = (await founder.manager()!.read()).get('Node', daemon.local().nodeID);
      return node?.Description?.TLSInfo?.CertIssuerPublicKey;
    };
    const [old, next] = [before.TLSInfo!.CertIssuerPublicKey, (await clusterOf()).TLSInfo!.CertIssuerPublicKey];
    await until(async () => (await issuerOf(worker)) === next, 'the worker has moved');
    const { CertificatePEM, KeyPEM } = before.RootCA!;
    await change({ SigningCACert: CertificatePEM, SigningCAKey: KeyPEM });
    assert.deepEqual((await clusterOf()).TLSInfo, before.TLSInfo);
    await until(async () => (await issuerOf(worker)) === old, 'the worker has moved back');
    await until(async () => (await issuerOf(founder)) === old, 'so has the manager');
    await daemons.start(lateOptions);
    const nobody = await daemons.start(await daemons.options());
    await nobody.join(joinRequest(before.JoinTokens!.Worker, address));
    await until(async () => (await rootFile(worker)) === before.TLSInfo!.TrustRoot, 'only the old root is trusted');
  });
});
