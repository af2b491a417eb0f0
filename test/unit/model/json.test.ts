import assert from 'node:assert/strict';
import fc from 'fast-check';
import { complete } from '../../../src/model/codec.js';
import { ShoalError } from '../../../src/model/errors.js';
import { bodyFields, fromJSON, toJSON } from '../../../src/model/json.js';

const refused = (words: string) => (thrown: unknown) => {
  assert.ok(thrown instanceof ShoalError);
  assert.equal(thrown.code, 'invalid-argument');
  assert.equal(thrown.message, words);
  return true;
};

describe('REST bodies of the model', () => {
  it('read keys in any case and pass over what is unknown, internal or null', () => {
    const spec = fromJSON('ServiceSpec', {
      name: 'web',
      LABELS: { a: 'b' },
      taskTEMPLATE: { ContainerSpec: { image: 'x' }, EndpointPorts: [{ TargetPort: 1 }], Networks: null },
      Unknown: { deep: [1] },
    });
    assert.equal(spec.Name, 'web');
    assert.deepEqual(spec.Labels, { a: 'b' });
    assert.equal(spec.TaskTemplate?.ContainerSpec?.Image, 'x');
    assert.deepEqual(spec.TaskTemplate?.EndpointPorts, []);
  });

  it('name the whole path of what has the wrong type', () => {
    const read = (body: unknown) => () => fromJSON('ServiceSpec', body, 'Spec');
    assert.throws(
      read({ TaskTemplate: { ContainerSpec: { Env: ['A=1', 'B=2', 3] } } }),
      refused('Spec.TaskTemplate.ContainerSpec.Env[2]: must be a string'),
    );
    assert.throws(read({ Labels: { a: 1 } }), refused('Spec.Labels["a"]: must be a string'));
    assert.throws(read({ Labels: [] }), refused('Spec.Labels: must be an object'));
    assert.throws(read({ TaskTemplate: 'x' }), refused('Spec.TaskTemplate: must be an object'));
    assert.throws(
      read({ TaskTemplate: { ContainerSpec: { Mounts: [{}, { ReadOnly: 1 }] } } }),
      refused('Spec.TaskTemplate.ContainerSpec.Mounts[1].ReadOnly: must be true or false'),
    );
    assert.throws(
      read({ Mode: { Replicated: { Replicas: -1 } } }),
      refused('Spec.Mode.Replicated.Replicas: must be a whole number from 0 to 18446744073709549568'),
    );
    assert.throws(
      read({ EndpointSpec: { Ports: [{ TargetPort: 80.5 }] } }),
      refused('Spec.EndpointSpec.Ports[0].TargetPort: must be a whole number from 0 to 4294967295'),
    );
    assert.throws(read([]), refused('Spec: must be an object'));
    assert.throws(() => fromJSON('SecretSpec', { Data: '!!' }), refused('Data: must be base64'));
  });

  it('refuse what could reach an object prototype, and NUL in any string', () => {
    const body = JSON.parse('{"Labels":{"__proto__":"x"},"__proto__":{"Name":"polluted"}}');
    assert.throws(
      () => fromJSON('ServiceSpec', body, 'Spec'),
      refused('Spec.Labels["__proto__"]: is not a usable key'),
    );
    const outside = fromJSON('ServiceSpec', JSON.parse('{"__proto__":{"Name":"polluted"},"constructor":1}'));
    assert.equal(outside.Name, '');
    assert.equal(({} as { Name?: string }).Name, undefined);
    assert.throws(() => fromJSON('ServiceSpec', { Name: 'a\0b' }), refused('Name: must not contain a NUL character'));
  });

  it('replace half surrogate pairs, which have no UTF-8', () => {
    assert.equal(fromJSON('ServiceSpec', { Name: 'a\ud800b' }).Name, 'a\ufffdb');
    assert.equal(fromJSON('ServiceSpec', { Name: '\u{1f41f}' }).Name, '\u{1f41f}');
  });

  it('read bodies that are nested very deep', () => {
    const deep = JSON.parse(`${'['.repeat(200_000)}${']'.repeat(200_000)}`);
    assert.throws(
      () => fromJSON('ServiceSpec', { TaskTemplate: { ContainerSpec: { Env: deep } } }),
      /must be a string/,
    );
    assert.equal(fromJSON('ServiceSpec', { Unknown: deep }).Name, '');
  });

  it('take durations beyond what a double counts one by one', () => {
    const spec = fromJSON('SwarmSpec', { CAConfig: { NodeCertExpiry: 365 * 24 * 3600 * 1e9 } });
    assert.equal(spec.CAConfig?.NodeCertExpiry, 31_536_000_000_000_000);
  });

  it('show modes, empty messages and what is always there as Docker does', () => {
    const shown = (body: unknown) => toJSON('ServiceSpec', fromJSON('ServiceSpec', body));
    assert.deepEqual(shown({ Name: 'a', TaskTemplate: { ContainerSpec: { Image: 'x' } }, Mode: { Global: {} } }), {
      Name: 'a',
      Labels: {},
      TaskTemplate: { ContainerSpec: { Image: 'x' }, ForceUpdate: 0 },
      Mode: { Global: {} },
    });
    assert.deepEqual(shown({ Mode: { Replicated: { Replicas: 0 } } }).Mode, { Replicated: { Replicas: 0 } });
    assert.deepEqual(shown({ UpdateConfig: {} }).UpdateConfig, { Parallelism: 0, MaxFailureRatio: 0, Order: '' });
  });

  it('never show an internal field', () => {
    const text = JSON.stringify(
      toJSON(
        'Cluster',
        complete('Cluster', { ID: 'c', RootCA: { KeyPEM: 'the key' }, NextRaftID: 3, RemovedNodes: [{ ID: 'x' }] }),
      ),
    );
    assert.ok(!/RootCA|the key|NextRaftID|RemovedNodes/.test(text), text);
    const task = complete('Task', { ServiceName: 'w', Status: { AppliedBy: 'n', Addresses: [{ Port: 1 }] } });
    assert.deepEqual(toJSON('Task', task), {
      ID: '',
      Version: { Index: 0 },
      Labels: {},
      Spec: { ForceUpdate: 0 },
      Status: {},
    });
  });

  it('write bytes as base64 and map keys in order', () => {
    const spec = complete('ConfigSpec', { Name: 'c', Data: Buffer.from('hi'), Labels: { b: '1', a: '2' } });
    assert.equal(JSON.stringify(toJSON('ConfigSpec', spec)), '{"Name":"c","Labels":{"a":"2","b":"1"},"Data":"aGk="}');
  });

  it('read back what they wrote, whatever it was', () => {
    const value: Record<string, fc.Arbitrary<unknown>> = {
      string: fc.string().map((text) => text.replaceAll('\0', '')),
      bool: fc.boolean(),
      integer: fc.integer({ min: 0, max: 2 ** 31 }),
      number: fc.integer({ min: 0, max: 1000 }),
      bytes: fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64')),
    };
    const fields = bodyFields('ServiceSpec').filter((field) => field.kind !== 'message' && !field.path.includes('0'));
    const body = fc.subarray(fields, { maxLength: 12 }).chain((chosen) =>
      fc.tuple(...chosen.map((field) => value[field.kind]!)).map((values) => {
        const result: Record<string, unknown> = {};
        for (const [at, field] of chosen.entries()) {
          let place = result;
          for (const step of field.path.slice(0, -1)) {
            place[step] ??= {};
            place = place[step] as Record<string, unknown>;
          }
          const one = values[at];
          place[field.path.at(-1)!] = field.form === 'list' ? [one] : field.form === 'map' ? { key: one } : one;
        }
        return result;
      }),
    );
    fc.assert(
      fc.property(body, (given) => {
        const shown = toJSON('ServiceSpec', fromJSON('ServiceSpec', given));
        assert.deepEqual(toJSON('ServiceSpec', fromJSON('ServiceSpec', shown)), shown);
      }),
      { numRuns: 200 },
    );
  });
});
