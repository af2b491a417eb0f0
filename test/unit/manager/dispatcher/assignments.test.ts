import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AssignmentLedger, isEmpty } from '../../../../src/manager/dispatcher/assignments.js';
import { rankOf } from '../../../../src/model/states.js';
import type { Assignments, AssignmentsInit, OperationInit, Task, TaskInit } from '../../../../src/model/types.js';
import { LocalProposer } from '../../../helpers/local-proposer.js';

describe('what a node is told of its tasks', () => {
  /** The node's side: what it has after all messages, desired states by task and the ids of secrets. */
  class Told {
    tasks = new Map<string, string>();
    secrets = new Set<string>();
    take({ Full, Tasks, RemovedTaskIDs, Secrets, RemovedSecretIDs }: Assignments): void {
      if (Full) {
        this.tasks.clear();
        this.secrets.clear();
      }
      for (const task of Tasks) this.tasks.set(task.ID, task.DesiredState);
      for (const id of RemovedTaskIDs) assert.ok(this.tasks.delete(id), 'only what it has is taken from it');
      for (const { ID } of Secrets) this.secrets.add(ID);
      for (const id of RemovedSecretIDs) assert.ok(this.secrets.delete(id), 'only what it has is taken from it');
    }
  }

  const taskIDs = ['a', 'b', 'c'];
  const secretIDs = ['x', 'y'];
  const step = fc.oneof(
    fc.record({
      id: fc.constantFrom(...taskIDs),
      NodeID: fc.constantFrom('here', 'there'),
      DesiredState: fc.constantFrom('ready', 'running', 'shutdown', 'remove'),
      secrets: fc.subarray(secretIDs),
    }),
    fc.record({ id: fc.constantFrom(...taskIDs), remove: fc.constant(true) }),
    fc.record({ id: fc.constantFrom(...taskIDs), report: fc.constantFrom('running', 'failed') }),
    fc.record({ hold: fc.subarray(taskIDs) }),
    fc.record({ full: fc.constant(true) }),
  );

  it('has the login that its service’s image is pulled with, and only its own', () => {
    const local = new LocalProposer();
    local.commit({
      Operations: [
        { Action: 'create', Service: { ID: 'web', Spec: { Name: 'web' }, RegistryAuth: 'canary' } },
        { Action: 'create', Service: { ID: 'db', Spec: { Name: 'db' } } },
        { Action: 'create', Task: { ID: 'a', ServiceID: 'web', NodeID: 'here' } },
        { Action: 'create', Task: { ID: 'b', ServiceID: 'db', NodeID: 'here' } },
        { Action: 'create', Task: { ID: 'c', ServiceID: 'db', NodeID: 'there' } },
      ],
    });
    const told = (node: string) => new AssignmentLedger(node, () => false).full(local.store).Tasks as Task[];
    assert.deepEqual(
      told('here').map((task) => [task.ID, task.RegistryAuth]),
      [
        ['a', 'canary'],
        ['b', ''],
      ],
    );
    assert.ok(!JSON.stringify(told('there')).includes('canary'));
    assert.equal(local.store.get('Task', 'a')?.RegistryAuth, '', 'it is not kept with the task');
  });

  it('has the keys of encrypted networks while a task of it is on one, and each rotation of them', () => {
    const local = new LocalProposer();
    const key = (Generation: number) => ({ Generation, Key: Buffer.alloc(32, Generation), CreatedAt: 'then' });
    const Options = { encrypted: '' };
    local.commit({
      Operations: [
        { Action: 'create', Cluster: { ID: 'c', DataPathKeys: [key(1), key(2)] } },
        { Action: 'create', Network: { ID: 'open', Spec: { Name: 'open' } } },
        { Action: 'create', Network: { ID: 'shut', Spec: { Name: 'shut', DriverConfiguration: { Options } } } },
      ],
    });
    const task = (ID: string, NodeID: string, network: string): TaskInit => ({
      ID,
      NodeID,
      NetworksAttachments: [{ Network: { ID: network } }],
    });
    const here = new AssignmentLedger('here', () => false);
    const there = new AssignmentLedger('there', () => false);
    const generations = ({ DataPathKeys }: AssignmentsInit) => DataPathKeys?.Keys?.map(({ Generation }) => Generation);
    assert.deepEqual(
      [here, there].map((ledger) => generations(ledger.full(local.store))),
      [[], []],
    );
    local.commit({
      Operations: [
        { Action: 'create', Task: task('a', 'here', 'shut') },
        { Action: 'create', Task: task('b', 'there', 'open') },
      ],
    });
    assert.deepEqual(generations(here.changes(local.store, ['a'])), [1, 2]);
    assert.equal(generations(there.changes(local.store, ['b'])), undefined);
    local.commit({ Operations: [{ Action: 'update', Cluster: { ID: 'c', DataPathKeys: [key(1), key(2), key(3)] } }] });
    const rotated = here.changes(local.store, []);
    assert.deepEqual([generations(rotated), isEmpty(rotated)], [[1, 2, 3], false]);
    assert.ok(isEmpty(here.changes(local.store, [])) && isEmpty(there.changes(local.store, [])));
    assert.deepEqual(generations(here.full(local.store)), [1, 2, 3], 'a node that comes back is told them anew');
    local.commit({ Operations: [{ Action: 'remove', Kind: 'Task', ID: 'a' }] });
    assert.deepEqual(generations(here.changes(local.store, ['a'])), []);
  });

  it('adds up to exactly the tasks of the store and the secrets that they need, whatever happens in whatever order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const local = new LocalProposer();
        local.commit({ Operations: secretIDs.map((ID) => ({ Action: 'create', Secret: { ID, Spec: { Name: ID } } })) });
        let held: readonly string[] = [];
        const ledger = new AssignmentLedger(
          'here',
          (task) => rankOf(task.DesiredState) > rankOf('running') && held.includes(task.ID),
        );
        const node = new Told();
        const tell = (init: object) => node.take({ ...empty, ...init } as Assignments);
        tell(ledger.full(local.store));
        for (const one of steps) {
          if ('hold' in one) held = one.hold;
          else if ('full' in one) tell(ledger.full(local.store));
          else {
            const operation = operationOf(one, local.store.get('Task', one.id) !== undefined);
            if (operation !== undefined) local.commit({ Operations: [operation] });
          }
          const changes = ledger.changes(local.store, taskIDs);
          tell(changes);
          assert.ok(isEmpty(ledger.changes(local.store, taskIDs)), 'nothing is told twice');
          const mine = [...local.store.tasksOfNode('here')];
          assert.deepEqual(
            new Map([...node.tasks].sort()),
            new Map(mine.map((task) => [task.ID, shown(task, held)] as const).sort()),
          );
          const needed = mine.flatMap(
            (task) => task.Spec?.ContainerSpec?.Secrets.map((secret) => secret.SecretID) ?? [],
          );
          assert.deepEqual([...node.secrets].sort(), [...new Set(needed)].sort());
        }
      }),
    );
  });

  const empty = {
    Full: false,
    Tasks: [],
    RemovedTaskIDs: [],
    Secrets: [],
    RemovedSecretIDs: [],
    Configs: [],
    RemovedConfigIDs: [],
    DataPathKeys: null,
  };
  const shown = (task: Task, held: readonly string[]) =>
    held.includes(task.ID) && rankOf(task.DesiredState) > rankOf('running') ? 'running' : task.DesiredState;

  function operationOf(
    one: { id: string; NodeID?: string; DesiredState?: string; secrets?: string[]; report?: string },
    exists: boolean,
  ): OperationInit | undefined {
    const { id: ID, NodeID, DesiredState, secrets, report } = one;
    if (report !== undefined) return { Action: 'observe', Task: { ID, Status: { State: report } } };
    if (NodeID === undefined) return exists ? { Action: 'remove', Kind: 'Task', ID } : undefined;
    const Secrets = secrets?.map((SecretID) => ({ SecretID }));
    const Task: TaskInit = { ID, NodeID, DesiredState, Spec: { ContainerSpec: { Secrets } } };
    return { Action: exists ? 'update' : 'create', Task };
  }
});
