import * as grpc from '@grpc/grpc-js';
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

  function peersOf(self: string, address: () => string, onProgress: PeersOptions['onProgress']): Peers {
    const peers = new Peers({
      self,
      connect: () => serviceClient('ManagerPeers', address(), grpc.credentials.createInsecure()),
      identityOf: () => ({ nodeID: 'teller', role: 'manager', clusterID: 'cluster', asOf: 0 }),
      clock,
      random: seededRandom(1),
      log: quiet,
      onProgress,
      onLost: () => {},
    });
    all.push(peers);
    return peers;
  }

  it('is told again to a manager that ended the stream in good order', async () => {
    let heard = 0;
    const hearer = peersOf(
      'hearer',
      () => '',
      (_nodeID, { revision }) => {
        heard = revision;
      },
    );
    const server = new grpc.Server();
    servers.push(server);
    server.addService(serviceDefinition('ManagerPeers'), hearer.handlers());
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    const address = `127.0.0.1:${port}`;
    const teller = peersOf(
      'teller',
      () => address,
      () => {},
    );
    teller.setManagers([{ nodeID: 'hearer', address }]);
    teller.tell({ revision: 1, busy: new Set() });
    await until('the first word', () => heard === 1);

    hearer.expire(0);
    teller.tell({ revision: 2, busy: new Set() });
    await until('word on a new stream', () => {
      void clock.advance(1_000);
      return heard === 2;
    });
  });
});
