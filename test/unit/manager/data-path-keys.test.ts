import assert from 'node:assert/strict';
import { createLogger } from 'winston';
import { DataPathKeyKeeper } from '../../../src/manager/data-path-keys/keeper.js';
import { keysDue, rotation_ms, rotationAt } from '../../../src/manager/data-path-keys/rotation.js';
import { ShoalError } from '../../../src/model/errors.js';
import { seededRandom } from '../../../src/model/random.js';
import type { TransactionInit } from '../../../src/model/types.js';
import { LocalProposer } from '../../helpers/local-proposer.js';
import { ManualClock } from '../../helpers/manual-clock.js';

describe('the keys of encrypted networks', () => {
  let local: LocalProposer;
  let clock: ManualClock;
  const random = seededRandom(7);
  beforeEach(() => {
    local = new LocalProposer();
    clock = new ManualClock();
    local.commit({ Operations: [{ Action: 'create', Cluster: { ID: 'c' } }] });
  });

  const addNetwork = (Options: Record<string, string> = { encrypted: '' }) =>
    local.commit({
      Operations: [{ Action: 'create', Network: { ID: 'n', Spec: { Name: 'n', DriverConfiguration: { Options } } } }],
    });
  const keys = () => local.store.cluster()?.DataPathKeys ?? [];
  const generations = () => keys().map(({ Generation }) => Generation);
  const write = (DataPathKeys: ReturnType<typeof keysDue>) =>
    local.commit({ Operations: [{ Action: 'update', Cluster: { ID: 'c', DataPathKeys } }] });

  it('are none while no network asks for them', () => {
    addNetwork({ encrypted: 'false' });
    assert.equal(keysDue(local.store, clock.now(), random), undefined);
    assert.equal(rotationAt(local.store, clock.now()), undefined);
  });

  it('are two at first, then three: each is the next for half a day, current for as long, and the former for as long', async () => {
    addNetwork();
    const seen: number[][] = [];
    const used = new Set<string>();
    for (let at = 0; at < 5; at++) {
      write(keysDue(local.store, clock.now(), random));
      seen.push(generations());
      for (const { Key } of keys()) used.add(Buffer.from(Key).toString('hex'));
      assert.equal(keysDue(local.store, clock.now(), random), undefined);
      assert.equal(rotationAt(local.store, clock.now()), clock.now() + rotation_ms);
      await clock.advance(rotation_ms - 1);
      assert.equal(keysDue(local.store, clock.now(), random), undefined);
      await clock.advance(1);
    }
    assert.deepEqual(seen, [
      [1, 2],
      [1, 2, 3],
      [2, 3, 4],
      [3, 4, 5],
      [4, 5, 6],
    ]);
    assert.equal(used.size, 6);
    assert.ok([...used].every((key) => key.length === 64));
  });

  it('are renewed at once when the newest is from a future that is not half a day away', () => {
    addNetwork();
    write(keysDue(local.store, clock.now() + 3 * rotation_ms, random));
    assert.equal(keysDue(local.store, clock.now(), random)?.at(-1)?.Generation, 3);
  });

  it('go with the last network that asked for them', () => {
    addNetwork();
    write(keysDue(local.store, clock.now(), random));
    local.commit({ Operations: [{ Action: 'remove', Kind: 'Network', ID: 'n' }] });
    assert.deepEqual(keysDue(local.store, clock.now(), random), []);
  });

  describe('as the leader keeps them', () => {
    let leads: boolean;
    let failure: ShoalError | undefined;
    let lines: string[];
    let keeper: DataPathKeyKeeper;
    const settled = () => new Promise((resolve) => setImmediate(resolve));
    beforeEach(() => {
      [leads, failure, lines] = [true, undefined, []];
      const log = createLogger({ silent: true });
      log.info = log.warn = ((...words: unknown[]) => lines.push(JSON.stringify(words))) as never;
      const propose = async (transaction: TransactionInit) => {
        if (failure !== undefined) throw failure;
        return local.commit(transaction);
      };
      keeper = new DataPathKeyKeeper({
        view: () => local.store,
        leads: () => leads,
        proposer: { propose },
        clock,
        random,
        log,
      });
    });
    afterEach(() => keeper.stop());

    it('come with the first network, and are others every half a day, whoever leads then', async () => {
      addNetwork();
      keeper.wake();
      await settled();
      assert.deepEqual(generations(), [1, 2]);
      await clock.advance(rotation_ms);
      await settled();
      assert.deepEqual(generations(), [1, 2, 3]);
      leads = false;
      await clock.advance(rotation_ms);
      await settled();
      assert.deepEqual(generations(), [1, 2, 3]);
      leads = true;
      keeper.wake();
      await settled();
      assert.deepEqual(generations(), [2, 3, 4]);
      assert.ok(keys().every(({ Key }) => !lines.join().includes(Buffer.from(Key).toString('hex'))));
    });

    it('are tried again when they could not be written', async () => {
      addNetwork();
      failure = new ShoalError('no-leader', 'nobody leads');
      keeper.wake();
      await settled();
      assert.deepEqual(generations(), []);
      failure = undefined;
      await clock.advance(1_000);
      await settled();
      assert.deepEqual(generations(), [1, 2]);
    });
  });
});
