import assert from 'node:assert/strict';
import { decode, encode } from '../../../src/model/codec.js';
import type { OperationInit, TaskSpecInit, TransactionInit } from '../../../src/model/types.js';
import { decodeTransaction, encodeTransaction } from '../../../src/store/entry.js';
import { Store } from '../../../src/store/store.js';

const create = (ID: string, Spec: TaskSpecInit | null): OperationInit => ({
  Action: 'create',
  ID,
  Task: { ID, ServiceID: 's', NodeID: 'n', Labels: { a: 'b' }, Spec },
});

describe('an entry of the log', () => {
  const large: TaskSpecInit = { ContainerSpec: { Image: 'web', Env: [`FILL=${'x'.repeat(10_000)}`] } };
  const small: TaskSpecInit = { ContainerSpec: { Image: 'other' } };

  it('is read as the transaction that it was made of', () => {
    const transaction: TransactionInit = {
      Operations: [
        create('a', large),
        { Action: 'update', ID: 'b', ExpectedVersion: 3, Task: { ID: 'b', Spec: small } },
        create('c', large),
        create('d', null),
        { Action: 'observe', ID: 'e', Task: { ID: 'e', Status: { State: 'running' } } },
        { Action: 'remove', Kind: 'Task', ID: 'f' },
        { Action: 'create', ID: 'w', Service: { ID: 'w', Spec: { Name: 'web', TaskTemplate: large } } },
      ],
      Origin: 'reconcile',
      Time: 't',
    };
    const plain = decode('Transaction', encode('Transaction', transaction));
    const read = decodeTransaction(encodeTransaction(transaction));
    assert.deepEqual(
      read.Operations.map((operation) => ({ ...operation, SpecAt: 0 })),
      plain.Operations,
    );
    assert.deepEqual([read.Origin, read.Time], ['reconcile', 't']);
    assert.deepEqual(decodeTransaction(encode('Transaction', transaction)), plain, 'as older entries have it');
  });

  it('carries what a thousand tasks have in common once, and they share it when it is read', () => {
    const Operations = Array.from({ length: 1000 }, (_, at) => create(`t${at}`, large));
    const bytes = encodeTransaction({ Operations });
    assert.ok(bytes.length < 10_000 + 1000 * 60, `${bytes.length} bytes`);
    const specs = new Set(decodeTransaction(bytes).Operations.map(({ Task }) => Task?.Spec));
    assert.equal(specs.size, 1);
    const store = new Store();
    assert.ok(store.apply(1, bytes).ok);
    assert.ok(store.apply(2, encodeTransaction({ Operations: [create('late', large)] })).ok);
    assert.equal(new Set([...store.list('Task')].map(({ Spec }) => Spec)).size, 1);
  });

  it('is refused when it names a spec that it does not carry', () => {
    const bytes = encode('Transaction', { Operations: [{ ...create('a', null), SpecAt: 2 }], TaskSpecs: [small] });
    const verdict = new Store().apply(1, bytes);
    assert.equal(verdict.ok, false);
    assert.match(verdict.ok ? '' : verdict.message, /SpecAt: 2 is above the 1 specs/);
  });
});
