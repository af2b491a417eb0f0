import assert from 'node:assert/strict';
import { serviceDefinition, toMany } from '../../../src/model/services.js';
import type { ToNode } from '../../../src/model/types.js';

describe('a message of an RPC service', () => {
  const { responseSerialize: serialize, responseDeserialize: deserialize } = serviceDefinition('Dispatcher').Session!;
  const routes = () => ({ Routes: { Full: true, Revision: 7, Routes: [{ ID: 'tcp/8080', ServiceName: 'web' }] } });

  it('that goes to many is put into bytes once', () => {
    const message = toMany(routes());
    const bytes = serialize(message);
    for (let at = 0; at < 1000; at++) assert.equal(serialize(message), bytes);
    assert.equal((deserialize(bytes) as ToNode).Routes?.Routes[0]?.ServiceName, 'web');
    assert.deepEqual(serialize(routes()), bytes);
  });

  it('that goes to one is what it is when it goes', () => {
    const message = routes();
    const before = serialize(message);
    message.Routes.Revision = 8;
    assert.notDeepEqual(serialize(message), before);
  });
});
