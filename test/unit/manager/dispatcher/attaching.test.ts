import assert from 'node:assert/strict';
import { Attaching } from '../../../../src/manager/dispatcher/attaching.js';
import { seededRandom } from '../../../../src/model/random.js';
import type { AttachNetworkRequest } from '../../../../src/model/types.js';
import { ManualClock, settled } from '../../../helpers/manual-clock.js';
import { Orchestra } from '../../../helpers/orchestra.js';

const container = (at: number) => at.toString(16).padStart(64, '0');
const request = (init: Partial<AttachNetworkRequest> = {}): AttachNetworkRequest => ({
  NetworkID: 'net',
  ContainerID: container(1),
  ContainerName: 'db',
  Hostname: '',
  Aliases: [],
  Nameservers: [],
  Address: '',
  Address6: '',
  ...init,
});

describe('a manager that is asked for an address for a container of a node’s own', () => {
  let world: Orchestra;
  let clock: ManualClock;
  let attaching: Attaching;
  let isServing: boolean;
  beforeEach(() => {
    world = new Orchestra();
    clock = new ManualClock();
    isServing = true;
    world.addNodes(2);
    world.commit([
      {
        Action: 'create',
        Network: {
          ID: 'net',
          Spec: { Name: 'blue', Attachable: true },
          IPAMOptions: { Configs: [{ Subnet: '10.0.1.0/29', Gateway: '10.0.1.1' }] },
        },
      },
      { Action: 'create', Network: { ID: 'closed', Spec: { Name: 'red' } } },
    ]);
    attaching = new Attaching({
      store: world.store,
      proposer: world.proposer,
      clock,
      random: seededRandom(1),
      checkServing: () => assert.ok(isServing, 'no leader'),
    });
  });
  const asked = async (init: Partial<AttachNetworkRequest> = {}, node = 'node1') => {
    const answer = attaching.attach(node, request(init));
    answer.catch(() => {});
    await settled();
    world.planAll();
    return (await answer).Task!;
  };
  const addressOf = async (init: Partial<AttachNetworkRequest> = {}) =>
    (await asked(init)).NetworksAttachments[0]!.Addresses[0];

  it('answers once there is one, and the same for the same container', async () => {
    const task = await asked({ Aliases: ['base'], Hostname: 'h', Nameservers: ['192.0.2.1'] });
    assert.deepEqual([task.NodeID, task.Name, task.Status?.State], ['node1', 'db', 'assigned']);
    assert.deepEqual(task.NetworksAttachments[0]!.Addresses, ['10.0.1.2/29']);
    assert.equal((await asked()).ID, task.ID);
    assert.equal(await addressOf({ ContainerID: container(2) }), '10.0.1.3/29');
    assert.equal(await addressOf({ ContainerID: container(3), Address: '10.0.1.6' }), '10.0.1.6/29');
    assert.equal(world.store.count('Task'), 3);
  });

  it('leaves nothing behind when there is none, or nobody plans', async () => {
    for (const Address of ['10.0.1.1', '10.0.1.7', '10.9.9.9']) {
      await assert.rejects(asked({ Address }), /Address already in use, or none of network blue/);
    }
    const late = attaching.attach('node1', request());
    late.catch(() => {});
    await clock.advance(15_000);
    await assert.rejects(late, { code: 'unavailable', message: 'context deadline exceeded' });
    assert.equal(world.store.count('Task'), 0);
  });

  it('refuses what nobody may have, and what no honest node says', async () => {
    await assert.rejects(asked({ NetworkID: 'closed' }), { code: 'forbidden', message: /red not manually attachable/ });
    await assert.rejects(asked({ NetworkID: 'none' }), { code: 'not-found' });
    const bad: Partial<AttachNetworkRequest>[] = [
      { ContainerID: 'x' },
      { Address: 'x' },
      { ContainerName: 'a b' },
      { Hostname: 'x'.repeat(256) },
      { Aliases: Array(65).fill('a') },
      { Nameservers: ['dns.example'] },
    ];
    for (const one of bad) await assert.rejects(asked(one), { code: 'invalid-argument', message: /^AttachNetwork\./ });
    const flood = Array.from({ length: 40 }, (_, at) =>
      attaching.attach('node1', request({ ContainerID: container(at) })),
    );
    const ends = Promise.allSettled(flood);
    await clock.advance(15_000);
    const refused = (await ends).filter((end) => end.status === 'rejected' && end.reason.code === 'overloaded');
    assert.equal(refused.length, 8);
    isServing = false;
    await assert.rejects(asked(), /no leader/);
  });

  it('takes tasks out with their node, not while that is only lost', async () => {
    const { ID } = await asked();
    world.setNodeState('node1', 'down');
    world.planAll();
    assert.ok(world.store.get('Task', ID));
    world.removeNode('node1');
    world.planAll();
    assert.equal(world.store.count('Task'), 0);
  });
});
