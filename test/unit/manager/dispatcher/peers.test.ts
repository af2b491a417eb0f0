import assert from 'node:assert/strict';
import * as grpc from '@grpc/grpc-js';
import { ClusterClock } from '../../../../src/manager/cluster-clock.js';
import { Peers, type PeersOptions } from '../../../../src/manager/dispatcher/peers.js';
import { seededRandom } from '../../../../src/model/random.js';
import { serviceClient, serviceDefinition } from '../../../../src/model/services.js';
import { ManualClock } from '../../../helpers/manual-clock.js';
import { quiet } from '../../../helpers/node-under-test.js';
import { until } from '../../../helpers/raft-cluster.js';

describe('what managers tell one another', () => {
  const clock = new ManualClock();
  const servers: grpc.Server[] = [];
  const all: Peers[] = [];

  afterEach(() => {
    for (const peers of all.splice(0)) peers.close();
    for (const server of servers.splice(0)) server.forceShutdown();
  });

  function peersOf(self: string, address: () => string, more: Partial<PeersOptions> = {}): Peers {
    const peers = new Peers({
      self,
      connect: () => serviceClient('ManagerPeers', address(), grpc.credentials.createInsecure()),
      identityOf: () => ({ nodeID: 'teller', role: 'manager', clusterID: 'cluster', asOf: 0 }),
      clock,
      random: seededRandom(1),
      log: quiet,
      onProgress: () => {},
      leads: () => false,
      onTime: () => {},
      onLost: () => {},
      ...more,
    });
    all.push(peers);
    return peers;
  }

  it('is told again to a manager that ended the stream in good order', async () => {
    let heard = 0;
    const onProgress: PeersOptions['onProgress'] = (_nodeID, { revision }) => {
      heard = revision;
    };
    const { teller, hearer } = await pair({ onProgress });
    teller.tell({ revision: 1, busy: new Set() });
    await until('the first word', () => heard === 1);

    hearer.expire(0);
    teller.tell({ revision: 2, busy: new Set() });
    await until('word on a new stream', () => {
      void clock.advance(1_000);
      return heard === 2;
    });
  });

  it('has the time in it when the leader tells it, by which the others then go', async () => {
    let leads = false;
    let heard = 0;
    let said = 0;
    const hearers = new ManualClock(clock.now() + 600_000);
    const time = new ClusterClock(hearers);
    const onProgress: PeersOptions['onProgress'] = (_nodeID, { revision }) => {
      heard = revision;
    };
    const { teller } = await pair({ onProgress, onTime: (time_ms) => time.follow(time_ms) }, { leads: () => leads });
    const tell = async () => {
      teller.tell({ revision: ++said, busy: new Set() });
      await until('word', () => heard === said);
    };
    await tell();
    assert.equal(time.now(), hearers.now(), 'who leads nobody says what time it is');
    leads = true;
    await tell();
    assert.equal(time.now(), clock.now());
    leads = false;
    await tell();
    await hearers.advance(5_000);
    assert.equal(time.now(), clock.now() + 5_000, 'it goes on by its own clock from there');
    time.follow(time.now() + 900);
    assert.equal(time.now(), clock.now() + 5_000, 'what a message was on its way does not move it');
  });

  /** Two managers, of which one tells the other. */
  async function pair(hearing: Partial<PeersOptions>, telling: Partial<PeersOptions> = {}) {
    const hearer = peersOf('hearer', () => '', hearing);
    const server = new grpc.Server();
    servers.push(server);
    server.addService(serviceDefinition('ManagerPeers'), hearer.handlers());
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    const address = `127.0.0.1:${port}`;
    const teller = peersOf('teller', () => address, telling);
    teller.setManagers([{ nodeID: 'hearer', address }]);
    return { teller, hearer };
  }
});
