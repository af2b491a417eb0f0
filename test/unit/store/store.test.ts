import assert from 'node:assert/strict';
import fc from 'fast-check';
import { encode } from '../../../src/model/codec.js';
import { taskStates } from '../../../src/model/states.js';
import type { OperationInit, ServiceInit, Task, TaskInit, TransactionInit } from '../../../src/model/types.js';
import { Store } from '../../../src/store/store.js';
import { type Commit, kinds, type View } from '../../../src/store/view.js';
import { LocalProposer } from '../../helpers/local-proposer.js';

const service = (id: string, over: ServiceInit = {}): ServiceInit => ({
  ID: id,
  Spec: { Name: id, TaskTemplate: { ContainerSpec: { Image: 'web' } } },
  ...over,
});
const task = (id: string, over: TaskInit = {}): TaskInit => ({
  ID: id,
  ServiceID: 's',
  NodeID: 'n',
  Status: { State: 'assigned' },
  ...over,
});
const refusal = (store: Store, Operations: OperationInit[]) => {
  const verdict = store.apply(store.index + 1, encode('Transaction', { Operations, Time: 't' }));
  return verdict.ok ? 'accepted' : `${verdict.code}: ${verdict.message}`;
};
const all = (view: View) => Object.fromEntries(kinds.map((kind) => [kind, [...view.list(kind)]]));

describe('the store', () => {
  it('stamps version, times and SpecVersion when a transaction is applied', () => {
    const store = new Store();
    const at = (index: number, Operations: OperationInit[], Time: string) =>
      store.apply(index, encode('Transaction', { Operations, Time }));
    at(7, [{ Action: 'create', Service: service('web') }], 'one');
    at(
      9,
      [
        {
          Action: 'update',
          Service: service('web', {
            Spec: { Name: 'web', Labels: { a: 'b' }, TaskTemplate: { ContainerSpec: { Image: 'web' } } },
          }),
        },
      ],
      'two',
    );
    let web = store.get('Service', 'web');
    assert.deepEqual([web?.Version?.Index, web?.SpecVersion, web?.CreatedAt, web?.UpdatedAt], [9, 7, 'one', 'two']);
    at(
      12,
      [
        {
          Action: 'update',
          Service: service('web', { Spec: { Name: 'web', TaskTemplate: { ContainerSpec: { Image: 'new' } } } }),
        },
      ],
      'three',
    );
    web = store.get('Service', 'web');
    assert.deepEqual([web?.SpecVersion, web?.PreviousSpecVersion], [12, 7]);
  });

  it('refuses a stale version, and applies nothing of that transaction', () => {
    const { store } = new LocalProposer();
    assert.equal(refusal(store, [{ Action: 'create', Service: service('web') }]), 'accepted');
    const verdict = refusal(store, [
      { Action: 'create', Service: service('other') },
      { Action: 'update', ExpectedVersion: 99, Service: service('web') },
    ]);
    assert.match(verdict, /^out-of-sequence: .*update out of sequence/);
    assert.equal(store.get('Service', 'other'), undefined);
    assert.equal(store.byName('Service', 'other'), undefined);
  });

  it("refuses a name that is taken and a port that is published, in Docker's words", () => {
    const { store } = new LocalProposer();
    const ports = {
      EndpointSpec: { Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' }] },
    };
    refusal(store, [{ Action: 'create', Service: service('web', { Spec: { Name: 'web', ...ports } }) }]);
    assert.match(
      refusal(store, [{ Action: 'create', Service: service('x', { Spec: { Name: 'web' } }) }]),
      /name-conflict: .*service web already exists/,
    );
    assert.match(
      refusal(store, [{ Action: 'create', Service: service('x', { Spec: { Name: 'x', ...ports } }) }]),
      /port '8080' is already in use by service 'web' \(web\) as an ingress port/,
    );
    assert.equal(
      refusal(store, [
        { Action: 'remove', Kind: 'Service', ID: 'web' },
        { Action: 'create', Service: service('x', { Spec: { Name: 'web', ...ports } }) },
      ]),
      'accepted',
    );
  });

  it('keeps secrets and configs that services name, those of the same transaction included', () => {
    const store = new Store();
    const file = { SecretID: 's', SecretName: 'key', File: { Name: 'key' } };
    const user = service('web', {
      Spec: { Name: 'web', TaskTemplate: { ContainerSpec: { Image: 'web', Secrets: [file] } } },
    });
    const create: OperationInit = { Action: 'create', Service: user };
    const removeFile: OperationInit = { Action: 'remove', Kind: 'Secret', ID: 's' };
    const inUse = /^invalid-argument: .* secret 'key' is in use by the following service: web$/;
    assert.equal(refusal(store, [{ Action: 'create', Secret: { ID: 's', Spec: { Name: 'key' } } }]), 'accepted');
    assert.match(refusal(store, [create, removeFile]), inUse);
    assert.equal(refusal(store, [create]), 'accepted');
    assert.match(refusal(store, [removeFile]), inUse);
    const removeUser: OperationInit = { Action: 'remove', Kind: 'Service', ID: 'web' };
    assert.equal(refusal(store, [removeUser, removeFile]), 'accepted');
  });

  it('checks versions of objects that a plan relied on', () => {
    const { store } = new LocalProposer();
    refusal(store, [{ Action: 'create', Service: service('web') }]);
    assert.equal(refusal(store, [{ Action: 'check', Kind: 'Service', ID: 'web', ExpectedVersion: 1 }]), 'accepted');
    assert.match(
      refusal(store, [{ Action: 'check', Kind: 'Service', ID: 'web', ExpectedVersion: 2 }]),
      /out-of-sequence/,
    );
    assert.equal(refusal(store, [{ Action: 'check', Kind: 'Service', ID: 'gone', ExpectedVersion: 0 }]), 'accepted');
    assert.equal(refusal(store, [{ Action: 'check', Kind: 'Service', ID: 'web' }]), 'accepted');
    assert.equal(
      refusal(store, [{ Action: 'check', Kind: 'Service', ID: 'gone' }]),
      'not-found: service gone not found',
    );
  });

  it('merges task reports forward only, without touching the version', () => {
    const { store } = new LocalProposer();
    refusal(store, [{ Action: 'create', Task: task('t') }]);
    const report = (State: string, Message = '') =>
      refusal(store, [{ Action: 'observe', Task: { ID: 't', Status: { State, Message } } }]);
    report('running', 'started');
    report('preparing', 'late');
    assert.equal(store.get('Task', 't')?.Status?.Message, 'started');
    assert.equal(store.get('Task', 't')?.Version?.Index, 1);
    assert.notEqual(store.get('Task', 't')?.Status?.RunningAt, '');
    report('failed', 'boom');
    report('remove', 'later');
    assert.equal(store.get('Task', 't')?.Status?.Message, 'boom');
  });

  it('keeps what was observed when the desired fields are updated', () => {
    const { store } = new LocalProposer();
    refusal(store, [{ Action: 'create', Task: task('t', { DesiredState: 'running' }) }]);
    refusal(store, [{ Action: 'observe', Task: { ID: 't', Status: { State: 'running' } } }]);
    refusal(store, [{ Action: 'update', Task: task('t', { DesiredState: 'shutdown', Status: { State: 'new' } }) }]);
    assert.deepEqual(
      [store.get('Task', 't')?.DesiredState, store.get('Task', 't')?.Status?.State],
      ['shutdown', 'running'],
    );
  });

  it('drops what an old session says of a node', () => {
    const { store } = new LocalProposer();
    refusal(store, [{ Action: 'create', Node: { ID: 'n', Status: { State: 'unknown' } } }]);
    const say = (State: string, SessionEpoch: number) =>
      refusal(store, [{ Action: 'observe', Node: { ID: 'n', Status: { State, SessionEpoch } } }]);
    say('ready', 0);
    const first = store.get('Node', 'n')?.Status?.SessionEpoch as number;
    say('ready', 0);
    say('down', first);
    assert.equal(store.get('Node', 'n')?.Status?.State, 'ready');
    say('down', store.get('Node', 'n')?.Status?.SessionEpoch as number);
    assert.equal(store.get('Node', 'n')?.Status?.State, 'down');
  });

  it('finds tasks by service and by node after every change', () => {
    const { store } = new LocalProposer();
    refusal(store, [{ Action: 'create', Task: task('t') }]);
    refusal(store, [{ Action: 'update', Task: task('t', { NodeID: 'm' }) }]);
    assert.deepEqual(
      [[...store.tasksOfNode('n')].length, [...store.tasksOfNode('m')].length, [...store.tasksOfService('s')].length],
      [0, 1, 1],
    );
    refusal(store, [{ Action: 'remove', Kind: 'Task', ID: 't' }]);
    assert.equal([...store.tasksOfService('s')].length, 0);
  });

  it('keeps once what tasks of different entries have in common, and tells no other thing of them', () => {
    const { store } = new LocalProposer();
    refusal(store, [{ Action: 'create', Task: task('t') }]);
    refusal(store, [{ Action: 'create', Task: task('u', { Labels: { a: 'b' } }) }]);
    refusal(store, [{ Action: 'observe', Task: { ID: 'u', Status: { State: 'running', Message: 'started' } } }]);
    refusal(store, [{ Action: 'observe', Task: { ID: 't', Status: { State: 'running', Message: 'started' } } }]);
    const [one, other] = ['t', 'u'].map((id) => store.get('Task', id)!) as [Task, Task];
    assert.equal(one.Failures, other.Failures);
    assert.equal(one.ServiceLabels, other.ServiceLabels);
    assert.equal(one.Status?.Addresses, other.Status?.Addresses);
    assert.deepEqual([one.Labels, other.Labels], [{}, { a: 'b' }]);
    assert.deepEqual([one.NodeID, one.Status?.Message, other.Status?.State], ['n', 'started', 'running']);
  });

  it('gives a node the number after the highest there is, those of its own transaction included', () => {
    const { store } = new LocalProposer();
    const add = (...ids: string[]) =>
      refusal(
        store,
        ids.map((ID) => ({ Action: 'create', Node: { ID } })),
      );
    const remove = (id: string) => refusal(store, [{ Action: 'remove', Kind: 'Node', ID: id }]);
    const numbers = () => Array.from(store.list('Node'), (node) => `${node.ID}${node.Number}`).join(' ');
    add('a', 'b', 'c');
    assert.equal(numbers(), 'a1 b2 c3');
    remove('a');
    add('d');
    assert.equal(numbers(), 'b2 c3 d4');
    remove('d');
    remove('c');
    add('e', 'f');
    assert.equal(numbers(), 'b2 e3 f4');
    refusal(store, [
      { Action: 'remove', Kind: 'Node', ID: 'f' },
      { Action: 'create', Node: { ID: 'g' } },
    ]);
    assert.equal(numbers(), 'b2 e3 g4');
  });

  it('takes of two reports of one state the later one, by the clock of the worker that made both', () => {
    const { store } = new LocalProposer();
    refusal(store, [{ Action: 'create', Task: task('t') }]);
    const report = (second: number, Message: string, AppliedBy = 'n') => {
      const Timestamp = `2026-01-01T00:00:0${second}.000Z`;
      refusal(store, [
        { Action: 'observe', Task: { ID: 't', Status: { State: 'running', Timestamp, Message, AppliedBy } } },
      ]);
      return store.get('Task', 't')?.Status?.Message;
    };
    assert.equal(report(5, 'healthy'), 'healthy');
    assert.equal(report(4, 'late'), 'healthy');
    assert.equal(report(5, 'with an address'), 'with an address');
    assert.equal(report(1, 'another clock', 'm'), 'another clock');
  });

  it('leaves everything as it was, order too, when a transaction is refused', () => {
    const { store } = new LocalProposer();
    for (const id of ['a', 'b', 'c']) refusal(store, [{ Action: 'create', Service: service(id) }]);
    const before = all(store);
    const verdict = refusal(store, [
      { Action: 'remove', Kind: 'Service', ID: 'a' },
      { Action: 'create', Service: service('d', { Spec: { Name: 'a' } }) },
      { Action: 'remove', Kind: 'Service', ID: 'gone' },
    ]);
    assert.match(verdict, /not-found/);
    assert.deepEqual(all(store), before);
    assert.equal(store.byName('Service', 'a')?.ID, 'a');
  });

  it('lets names pass from one service to another within a transaction', () => {
    const { store } = new LocalProposer();
    const named = (id: string, Name: string) => service(id, { Spec: { Name } });
    refusal(store, [{ Action: 'create', Service: named('a', 'x') }]);
    const verdict = refusal(store, [
      { Action: 'create', Service: named('b', 'y') },
      { Action: 'update', Service: named('a', 'z') },
      { Action: 'update', Service: named('b', 'x') },
    ]);
    assert.equal(verdict, 'accepted');
    assert.deepEqual(
      ['x', 'y', 'z'].map((name) => store.byName('Service', name)?.ID),
      ['b', undefined, 'a'],
    );
  });

  it('keeps one copy of what the tasks of a service have in common, also while it is being updated', () => {
    const { store } = new LocalProposer();
    const Spec = (Image: string) => ({ ContainerSpec: { Image, Env: ['A=b'] } });
    for (let slot = 0; slot < 6; slot++) {
      refusal(store, [{ Action: 'create', Task: task(`t${slot}`, { Spec: Spec(slot % 2 === 0 ? 'old' : 'new') }) }]);
    }
    assert.equal(new Set([...store.list('Task')].map((one) => one.Spec)).size, 2);
  });

  it('tells every watcher every commit in order, even when one of them commits more', () => {
    const local = new LocalProposer();
    const told: number[] = [];
    local.store.watch(({ changes }) => {
      if (changes.some(({ id }) => id === 'a')) local.commit({ Operations: [{ Action: 'create', Task: task('b') }] });
    });
    local.store.watch(({ index }) => told.push(index));
    local.commit({ Operations: [{ Action: 'create', Task: task('a') }] });
    assert.deepEqual(told, [1, 2]);
  });

  it('keeps nothing of the buffer that an entry came in', () => {
    const store = new Store();
    const bytes = encode('Transaction', {
      Operations: [{ Action: 'create', Secret: { ID: 's', Spec: { Name: 's', Data: Buffer.from('quiet') } } }],
    });
    store.apply(1, bytes);
    bytes.fill(0);
    assert.equal(Buffer.from(store.get('Secret', 's')?.Spec?.Data ?? []).toString(), 'quiet');
  });

  it('gives in a snapshot the state of when it was asked for, though it is read later', async () => {
    const { store } = new LocalProposer();
    refusal(store, [{ Action: 'create', Task: task('t') }]);
    const snapshot = store.snapshot();
    refusal(store, [{ Action: 'create', Task: task('u') }]);
    const other = new Store();
    await other.restore(1, snapshot);
    assert.deepEqual(
      [...other.list('Task')].map(({ ID }) => ID),
      ['t'],
    );
  });

  it('lets others have their turn while it writes and reads a snapshot', async () => {
    const local = new LocalProposer();
    local.commit({
      Operations: Array.from({ length: 3000 }, (_, slot) => ({ Action: 'create', Task: task(`task ${slot}`) })),
    });
    let turns = 0;
    let working = true;
    const turn = () => {
      turns += 1;
      if (working) setImmediate(turn);
    };
    turn();
    const chunks = async function* (list: readonly Uint8Array[]) {
      yield* list;
    };
    const written: Uint8Array[] = [];
    for await (const chunk of local.store.snapshot()) written.push(chunk);
    const whileWriting = turns;
    const other = new Store();
    await other.restore(1, chunks(written));
    const whileReading = turns - whileWriting;
    await other.restore(1, chunks(written));
    working = false;
    assert.ok(whileWriting > 3 && whileReading > 10, `${whileWriting} turns, then ${whileReading}`);
    assert.equal(other.count('Task'), 3000);
  });

  it('answers any bytes with a verdict', () => {
    const store = new Store();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        assert.equal(typeof store.apply(store.index + 1, bytes).ok, 'boolean');
      }),
    );
  });
});

const ids = fc.constantFrom('a', 'b', 'c', 'd');
const operation: fc.Arbitrary<OperationInit> = fc.oneof(
  fc.record({
    Action: fc.constantFrom('create', 'update'),
    Service: fc.record({ ID: ids, Spec: fc.record({ Name: ids }) }),
  }),
  fc.record({
    Action: fc.constantFrom('create', 'update', 'observe'),
    Task: fc.record({
      ID: ids,
      ServiceID: ids,
      NodeID: ids,
      Slot: fc.nat(5),
      Status: fc.record({ State: fc.constantFrom(...taskStates) }),
    }),
  }),
  fc.record({
    Action: fc.constantFrom('create', 'observe'),
    Node: fc.record({ ID: ids, Status: fc.record({ State: ids, SessionEpoch: fc.nat(9) }) }),
  }),
  fc.record({
    Action: fc.constantFrom('remove', 'check', 'nonsense'),
    Kind: fc.constantFrom(...kinds),
    ID: ids,
    ExpectedVersion: fc.option(fc.nat(9), { nil: undefined }),
  }),
) as fc.Arbitrary<OperationInit>;
const transactions = fc.array(
  fc.record({ Operations: fc.array(operation, { maxLength: 4 }), Time: fc.constant('t') }),
  { maxLength: 40 },
);
const applyAll = (store: Store, list: readonly TransactionInit[]) => {
  for (const transaction of list) store.apply(store.index + 1, encode('Transaction', transaction));
};

describe('any two stores', () => {
  it('that are fed the same entries are the same, and their watchers are told every change once', () => {
    fc.assert(
      fc.property(transactions, (list) => {
        const [one, two] = [new Store(), new Store()];
        const mirror = new Map<string, unknown>();
        one.watch((commit: Commit) => {
          for (const { kind, id, before, after } of commit.changes) {
            assert.deepEqual(mirror.get(`${kind}/${id}`), before);
            if (after === undefined) mirror.delete(`${kind}/${id}`);
            else mirror.set(`${kind}/${id}`, after);
          }
        });
        applyAll(one, list);
        applyAll(two, list);
        assert.deepEqual(all(one), all(two));
        assert.deepEqual(
          new Map(kinds.flatMap((kind) => [...one.list(kind)].map((object) => [`${kind}/${object.ID}`, object]))),
          mirror,
        );
      }),
    );
  });

  it('agree on entries that are damaged', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(transactions, damage, (list, bytes) => {
        const [one, two] = [new Store(), new Store()];
        for (const transaction of list) {
          const entry = Uint8Array.from(encode('Transaction', transaction));
          for (const [at, byte] of bytes) if (entry.length > 0) entry[at % entry.length] = byte;
          assert.deepEqual(one.apply(one.index + 1, entry), two.apply(two.index + 1, Buffer.from(entry)));
        }
        assert.deepEqual(all(one), all(two));
      }),
    );
  });

  it('are the same after a snapshot of one is restored into the other, cut anywhere, taken before later writes', async () => {
    await fc.assert(
      fc.asyncProperty(transactions, transactions, fc.integer({ min: 1, max: 50 }), async (list, later, cut) => {
        const [one, two, untouched] = [new Store(), new Store(), new Store()];
        applyAll(one, list);
        applyAll(untouched, list);
        applyAll(two, later);
        const index = one.index;
        const pieces = async function* () {
          const reading = one.snapshot()[Symbol.asyncIterator]();
          for (let next = await reading.next(); !next.done; next = await reading.next()) {
            for (let at = 0; at < next.value.length; at += cut) yield next.value.subarray(at, at + cut);
          }
        };
        const restoring = two.restore(index, pieces());
        await restoring;
        applyAll(one, later);
        assert.deepEqual(all(two), all(untouched));
        assert.equal(two.index, index);
        applyAll(untouched, later);
        applyAll(two, later);
        assert.deepEqual(all(two), all(untouched));
      }),
      { numRuns: 50 },
    );
  });

  it('tell their watchers, when restored, exactly what is different', async () => {
    await fc.assert(
      fc.asyncProperty(transactions, transactions, async (list, more) => {
        const [ahead, behind] = [new Store(), new Store()];
        applyAll(ahead, list);
        applyAll(behind, list);
        applyAll(ahead, more);
        const objects = (store: Store) =>
          new Map<string, unknown>(
            kinds.flatMap((kind) => [...store.list(kind)].map((object) => [`${kind}/${object.ID}`, object] as const)),
          );
        const mirror = objects(behind);
        behind.watch(({ changes }) => {
          for (const { kind, id, before, after } of changes) {
            assert.deepEqual(mirror.get(`${kind}/${id}`), before);
            assert.notDeepEqual(before, after);
            if (after === undefined) mirror.delete(`${kind}/${id}`);
            else mirror.set(`${kind}/${id}`, after);
          }
        });
        await behind.restore(ahead.index, ahead.snapshot());
        assert.deepEqual(mirror, objects(ahead));
        assert.deepEqual(all(behind), all(ahead));
      }),
      { numRuns: 50 },
    );
  });

  it('that read damaged snapshots stay as they were, or take what is whole', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (bytes) => {
        const store = new Store();
        applyAll(store, [{ Operations: [{ Action: 'create', Service: service('web') }], Time: 't' }]);
        const before = all(store);
        const chunks = async function* () {
          yield bytes;
        };
        await store.restore(5, chunks()).catch(() => assert.deepEqual(all(store), before));
      }),
    );
  });
});
