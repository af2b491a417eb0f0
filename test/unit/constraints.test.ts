import assert from 'node:assert/strict';
import { complete } from '../../src/model/codec.js';
import { parseConstraints, satisfies } from '../../src/model/constraints.js';
import { ShoalError } from '../../src/model/errors.js';

const node = complete('Node', {
  ID: '2ivku8v2gvtg4',
  Spec: { Role: 'manager', Labels: { zone: 'West', Rack: '7' } },
  Description: {
    Hostname: 'Alpha',
    Platform: { OS: 'linux', Architecture: 'x86_64' },
    Engine: { Labels: { storage: 'ssd' } },
  },
  Status: { Addr: '10.1.2.3' },
});
const holds = (...expressions: string[]) => satisfies(node, parseConstraints(expressions));

describe('placement constraints', () => {
  it('look at id, host name, role, address, platform and labels, without regard to case of values', () => {
    for (const [expression, expected] of Object.entries({
      'node.id==2ivku8v2gvtg4': true,
      'node.id!=2ivku8v2gvtg4': false,
      'node.hostname == alpha': true,
      'NODE.HOSTNAME!=beta': true,
      'node.role==Manager': true,
      'node.role != manager': false,
      'node.ip==10.1.2.3': true,
      'node.ip==10.1.0.0/16': true,
      'node.ip!=10.1.0.0/16': false,
      'node.ip==10.2.0.0/16': false,
      'node.ip==10.1.2.3/99': false,
      'node.ip!=10.1.2.3/99': false,
      'node.ip==fe80::/10': false,
      'node.platform.os==linux': true,
      'node.platform.arch==x86_64': true,
      'node.platform.arch!=x86_64': false,
      'node.labels.zone==west': true,
      'node.labels.Zone==west': false, // names of labels do regard case
      'node.labels.none==x': false,
      'node.labels.none!=x': true,
      'node.labels.constructor!=x': true,
      'node.labels.__proto__==x': false,
      'engine.labels.storage==SSD': true,
      'engine.labels.storage!=ssd': false,
      'node.nothing==x': false,
      'node.nothing!=x': false,
    })) {
      assert.equal(holds(expression), expected, expression);
    }
  });

  it('must all hold', () => {
    assert.equal(holds('node.role==manager', 'node.labels.zone==west'), true);
    assert.equal(holds('node.role==manager', 'node.labels.zone==east'), false);
    assert.equal(holds(), true);
  });

  it('are refused in the words of Docker when they are malformed', () => {
    const refusal = (expression: string) => {
      try {
        parseConstraints([expression]);
      } catch (error) {
        assert.ok(error instanceof ShoalError);
        assert.equal(error.code, 'invalid-argument');
        return error.message;
      }
      return 'accepted';
    };
    assert.equal(refusal('node.role'), 'constraint expected one operator from ==, !=');
    assert.equal(refusal('node.role=manager'), 'constraint expected one operator from ==, !=');
    assert.equal(refusal('node.ro le==manager'), "key 'node.ro le' is invalid");
    assert.equal(refusal('==manager'), "key '' is invalid");
    assert.equal(refusal('node.role=='), "value '' is invalid");
    assert.equal(refusal('node.role==<manager'), "value '<manager' is invalid");
    assert.equal(refusal('node.role==a==b'), "value 'a==b' is invalid");
    assert.equal(refusal(`node.role==${'é'}`), "value 'é' is invalid");
  });
});
