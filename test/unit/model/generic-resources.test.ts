import assert from 'node:assert/strict';
import { parseGenericResources } from '../../../src/model/generic-resources.js';
import { infoOf } from '../../../src/worker/docker-answers.js';
import { nodeDescription } from '../../../src/worker/node-description.js';

const named = (Kind: string, Value: string) => ({ NamedResourceSpec: { Kind, Value }, DiscreteResourceSpec: null });
const counted = (Kind: string, Value: number) => ({ NamedResourceSpec: null, DiscreteResourceSpec: { Kind, Value } });

describe('generic resources of a node', () => {
  it('are counted when there is one whole number of a kind, and named otherwise', () => {
    assert.deepEqual(
      parseGenericResources(['gpu=uuid1', ' ssd = 3 ', 'gpu=uuid2', 'gpu=uuid2', 'fpga=0', 'slot=1', 'slot=2']),
      [
        named('gpu', 'uuid1'),
        named('gpu', 'uuid2'),
        counted('ssd', 3),
        counted('fpga', 0),
        named('slot', '1'),
        named('slot', '2'),
      ],
    );
  });

  it('are refused in Docker’s words', () => {
    for (const word of ['gpu', 'gpu=', '=1', 'a=b=c', 'a b=1', '']) {
      assert.throws(() => parseGenericResources([word]), /incorrect term .*missing '=' or malformed expression/);
    }
    for (const word of ['gpu=-1', 'gpu=99999999999999999999']) {
      assert.throws(() => parseGenericResources([word]), /cannot ask for .* of resource gpu/);
    }
  });

  it('come from the engine where its owner told that', () => {
    const told = infoOf({
      GenericResources: [
        { NamedResourceSpec: { Kind: 'gpu', Value: 'u' } },
        { DiscreteResourceSpec: { Kind: 'ssd', Value: 2 } },
      ],
    });
    assert.deepEqual(nodeDescription('host', told).Resources?.GenericResources, [named('gpu', 'u'), counted('ssd', 2)]);
    assert.deepEqual(infoOf({ GenericResources: null }).genericResources, []);
  });
});
