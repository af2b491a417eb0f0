import assert from 'node:assert/strict';
import winston from 'winston';
import { RotationKeeper } from '../../../../src/manager/ca/rotation-keeper.js';
import { issuerKeyOf } from '../../../../src/manager/ca/trust.js';
import { complete } from '../../../../src/model/codec.js';
import { createAuthority } from '../../../../src/security/authority.js';
import type { View } from '../../../../src/store/view.js';
import { ManualClock } from '../../../helpers/manual-clock.js';

describe('the end of a rotation of the root', () => {
  it('is tried again while nobody agrees to it, and never after the manager has stopped', async () => {
    const clock = new ManualClock();
    const authority = await createAuthority(clock.now());
    const { certificatePEM: CertificatePEM, keyPEM: KeyPEM } = authority;
    const RootCA = { CertificatePEM, KeyPEM, Rotation: { CertificatePEM, KeyPEM } };
    const cluster = complete('Cluster', { ID: 'c', RootCA });
    const CertIssuerPublicKey = issuerKeyOf(cluster.RootCA!);
    const node = complete('Node', { ID: 'n', Description: { TLSInfo: { CertIssuerPublicKey } } });
    const view = { cluster: () => cluster, list: () => [node] } as unknown as View;
    let refuse = (_: Error) => {};
    let asked = 0;
    const propose = () => {
      asked += 1;
      return new Promise<never>((_, reject) => {
        refuse = reject;
      });
    };
    const log = winston.createLogger({ silent: true });
    const keeper = new RotationKeeper({ view: () => view, leads: () => true, proposer: { propose }, clock, log });
    keeper.wake();
    keeper.wake();
    assert.equal(asked, 1);
    refuse(new Error('no leader'));
    await clock.advance(1_000);
    assert.equal(asked, 2);
    keeper.stop();
    refuse(new Error('no leader'));
    await clock.advance(10_000);
    keeper.wake();
    assert.deepEqual([asked, clock.waiting], [2, 0]);
  });
});
