import assert from 'node:assert/strict';
import fc from 'fast-check';
import { mergeCapabilities, parseCapability } from '../../../src/cli/service/capabilities.js';
import { convergenceOf } from '../../../src/cli/service/convergence.js';
import { withTag } from '../../../src/cli/service/image.js';
import { portsOf, shortImage } from '../../../src/cli/service/ls.js';
import { mergeByKey, mergeEnv, mergeHosts, mergeMap, mergeSorted } from '../../../src/cli/service/merge.js';
import { mergeMounts } from '../../../src/cli/service/mounts.js';
import { mergePorts, parsePublish, portKey } from '../../../src/cli/service/ports.js';

const name = fc.constantFrom('A', 'B', 'C', 'D');
const names = fc.array(name);
const variables = fc.array(fc.tuple(name, fc.string()).map(([key, value]) => `${key}=${value}`));

describe('a list that is merged', () => {
  it('has what was added, and nothing of what was removed and not added', () => {
    fc.assert(
      fc.property(variables, names, variables, (current, removed, added) => {
        const merged = mergeEnv(mergeEnv([], [], current), removed, added);
        const keys = merged.map((each) => each.split('=', 1)[0]!);
        assert.equal(new Set(keys).size, keys.length, 'a name twice');
        for (const key of removed) {
          if (!added.some((each) => each.startsWith(`${key}=`))) assert.ok(!keys.includes(key));
        }
        for (const key of new Set(added.map((each) => each.split('=', 1)[0]!))) {
          assert.equal(
            merged[keys.indexOf(key)],
            added.findLast((each) => each.startsWith(`${key}=`)),
          );
        }
      }),
    );
  });

  it('is the same when merged once more', () => {
    fc.assert(
      fc.property(names, names, names, (current, removed, added) => {
        const once = mergeSorted(current, removed, added);
        assert.deepEqual(mergeSorted(once, removed, added), once);
        const map = mergeMap(
          {},
          removed,
          added.map((each) => [each, each]),
        );
        assert.deepEqual(
          mergeMap(
            map,
            removed,
            added.map((each) => [each, each]),
          ),
          map,
        );
        const items = mergeByKey(current, (each) => each, removed, added);
        assert.deepEqual(mergeByKey(items, (each) => each, removed, added).sort(), [...items].sort());
      }),
    );
  });

  it('takes names that objects have of their own for what they are', () => {
    const map = mergeMap(
      {},
      [],
      [
        ['__proto__', 'x'],
        ['constructor', 'y'],
      ],
    );
    assert.deepEqual(Object.entries(map), [
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    assert.deepEqual(Object.entries(mergeMap(map, ['__proto__'], [])), [['constructor', 'y']]);
  });

  it('loses only the name from a line of hosts that has more', () => {
    assert.deepEqual(mergeHosts(['1.1.1.1 a b', '2.2.2.2 a'], ['a:1.1.1.1'], []), ['1.1.1.1 b', '2.2.2.2 a']);
    assert.deepEqual(mergeHosts(['1.1.1.1 a b', '2.2.2.2 a'], ['a'], ['3.3.3.3 a']), ['1.1.1.1 b', '3.3.3.3 a']);
    assert.deepEqual(mergeHosts(['::1 a'], ['a:::1'], []), []);
  });

  it('of mounts has one a target', () => {
    const merged = mergeMounts([{ Target: '/a', Source: 'x' }], [], [{ Target: '/a', Source: 'y' }]);
    assert.deepEqual(merged, [{ Target: '/a', Source: 'y' }]);
    assert.throws(() => mergeMounts([], [], [{ Target: '/a' }, { Target: '/a' }]), /duplicate mount target: \/a/);
  });

  it('of ports refuses two on one published port', () => {
    const [web] = parsePublish('8080:80');
    assert.throws(() => mergePorts([web!], [], parsePublish('8080:81')), /conflicting port mapping/);
    assert.deepEqual(mergePorts([web!], [], parsePublish('8080:81/udp')).map(portKey), [
      '8080:80/tcp/ingress',
      '8080:81/udp/ingress',
    ]);
  });
});

describe('capabilities', () => {
  const capability = fc.constantFrom('chown', 'CAP_KILL', 'net_admin').map(parseCapability);
  const some = fc.array(capability);

  it('are never both added and dropped', () => {
    fc.assert(
      fc.property(some, some, some, some, (add, drop, adding, dropping) => {
        const before = mergeCapabilities({ add: [], drop: [] }, add, drop);
        const { add: adds, drop: drops } = mergeCapabilities(before, adding, dropping);
        assert.deepEqual(
          adds.filter((each) => drops.includes(each)),
          [],
        );
        for (const each of adding) assert.ok(!drops.includes(each));
      }),
    );
  });

  it('go back to the default before they turn', () => {
    const dropped = { add: [], drop: ['CAP_CHOWN'] };
    const once = mergeCapabilities(dropped, ['CAP_CHOWN'], []);
    assert.deepEqual(once, { add: [], drop: [] });
    assert.deepEqual(mergeCapabilities(once, ['CAP_CHOWN'], []), { add: ['CAP_CHOWN'], drop: [] });
  });
});

describe('a published port', () => {
  it('says the same in its short and its long form', () => {
    const port = fc.integer({ min: 1, max: 65535 });
    fc.assert(
      fc.property(port, port, fc.constantFrom('tcp', 'udp', 'sctp'), (published, target, protocol) => {
        assert.deepEqual(
          parsePublish(`${published}:${target}/${protocol}`),
          parsePublish(`published=${published},target=${target},protocol=${protocol},mode=ingress`),
        );
      }),
    );
  });

  it('is refused for what it is not', () => {
    for (const text of [
      '',
      ':',
      'x',
      '80:',
      '-1',
      '65536',
      '80-79',
      '1-3:1-2',
      '80/tcp/udp',
      '80/',
      '1.2.3.4:80:80',
      '::1:80:80',
    ]) {
      assert.throws(() => parsePublish(text), Error, text);
    }
    for (const text of ['target=', 'target=-1', 'target=80,mode=', 'published=80', 'target=80,x=y', 'target=80,']) {
      assert.throws(() => parsePublish(text), Error, text);
    }
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        try {
          for (const { TargetPort = 0 } of parsePublish(text)) assert.ok(TargetPort >= 0 && TargetPort <= 65535);
        } catch (thrown) {
          assert.ok(thrown instanceof Error && thrown.name === 'Error', String(thrown));
        }
      }),
    );
  });

  it('is listed with its neighbours', () => {
    const ports = parsePublish('8000-8002:80-82').concat(parsePublish('53:53/udp'), parsePublish('9000:80'));
    assert.equal(portsOf(ports), '*:8000-8002->80-82/tcp, *:9000->80/tcp, *:53->53/udp');
    assert.equal(portsOf([]), '');
  });
});

describe('an image', () => {
  it('has a tag, and a digest that is not shown', () => {
    assert.equal(withTag('nginx'), 'nginx:latest');
    assert.equal(withTag('localhost:5000/nginx'), 'localhost:5000/nginx:latest');
    assert.equal(withTag('a/b:c'), 'a/b:c');
    assert.equal(withTag('a@sha256:1'), 'a@sha256:1');
    assert.equal(shortImage('localhost:5000/nginx:1@sha256:1'), 'localhost:5000/nginx:1');
    assert.equal(shortImage('nginx'), 'nginx');
  });
});

describe('convergence', () => {
  const service = (replicas: number) => ({ Spec: { Mode: { Replicated: { Replicas: replicas } } } });
  const task = (Slot: number, State: string, more: object = {}) => ({
    ID: `${Slot}${State}`,
    Slot,
    NodeID: 'n1',
    DesiredState: 'running',
    Status: { State },
    ...more,
  });
  const nodes = new Set(['n1']);

  it('is when every slot has a running task on a node that is there', () => {
    const all = [task(1, 'running'), task(2, 'running')];
    assert.ok(convergenceOf(service(2), all, nodes, new Map(), false).converged);
    assert.ok(!convergenceOf(service(3), all, nodes, new Map(), false).converged);
    assert.ok(!convergenceOf(service(2), all, new Set(), new Map(), false).converged);
    assert.ok(convergenceOf(service(0), [], nodes, new Map(), false).converged);
    const leaving = [task(1, 'running', { DesiredState: 'shutdown' })];
    assert.ok(!convergenceOf(service(1), leaving, nodes, new Map(), false).converged);
  });

  it('of a job counts the runs of its present iteration, from slot 0 on, as Docker’s client does', () => {
    const job = {
      Spec: { Mode: { ReplicatedJob: { TotalCompletions: 3, MaxConcurrent: 2 } } },
      JobStatus: { JobIteration: { Index: 1 } },
    };
    const run = (Slot: number, State: string, Index = 1, Err = '') =>
      task(Slot, State, { JobIteration: { Index }, Status: { State, Err } });
    const told = (...runs: ReturnType<typeof run>[]) => {
      const { lines, converged } = convergenceOf(job, runs, nodes, new Map(), false);
      return [converged, ...lines.map(({ id, text }) => `${id}: ${text.trim()}`)];
    };
    assert.deepEqual(told(run(0, 'complete', 0), run(0, 'failed', 1, 'no'), run(0, 'running'), run(1, 'complete')), [
      false,
      'job progress: 1 out of 3 complete',
      'active tasks: 1 out of 2 tasks',
      '1/3: running',
      '2/3: complete',
    ]);
    const [converged, , active] = told(run(0, 'complete'), run(1, 'complete'), run(2, 'complete'));
    assert.deepEqual([converged, active], [true, 'active tasks: 0 out of 0 tasks']);
  });

  it('of a global job counts one run of each node that has been given any', () => {
    const job = { Spec: { Mode: { GlobalJob: {} } }, JobStatus: { JobIteration: {} } };
    const run = (NodeID: string, State: string) => task(0, State, { NodeID, JobIteration: {} });
    assert.ok(!convergenceOf(job, [], nodes, new Map(), false).converged);
    assert.ok(!convergenceOf(job, [run('n1', 'complete'), run('n2', 'starting')], nodes, new Map(), false).converged);
    assert.ok(convergenceOf(job, [run('n1', 'complete'), run('n2', 'complete')], nodes, new Map(), false).converged);
  });

  it('counts the new task of a slot, not the one that it replaces', () => {
    const both = [task(1, 'running', { DesiredState: 'shutdown' }), task(1, 'preparing')];
    const { lines, converged } = convergenceOf(service(1), both, nodes, new Map(), false);
    assert.ok(!converged);
    assert.deepEqual(
      lines.map(({ id, text }) => `${id}: ${text.trim()}`),
      ['overall progress: 0 out of 1 tasks', '1/1: preparing'],
    );
  });

  it('shows what went wrong, and no more lines than tell something', () => {
    const failed = [task(1, 'rejected', { Status: { State: 'rejected', Err: 'No such image: x' } })];
    assert.equal(convergenceOf(service(1), failed, nodes, new Map(), false).lines[1]?.text, 'No such image: x');
    const many = Array.from({ length: 30 }, (_none, at) => task(at + 1, 'running'));
    assert.equal(convergenceOf(service(30), many, nodes, new Map(), false).lines.length, 1);
    const back = convergenceOf(service(1), [task(1, 'running')], nodes, new Map(), true).lines;
    assert.equal(back[0]?.text, 'rolling back update: 1 out of 1 tasks');
  });

  it('of a global service is that of the nodes it has tasks on', () => {
    const global = { Spec: { Mode: { Global: {} } } };
    const on = (NodeID: string, State: string) => ({ ...task(0, State), NodeID });
    assert.equal(convergenceOf(global, [], nodes, new Map(), false).lines[0]?.text, 'waiting for new tasks');
    const tasks = [on('n1', 'running'), on('gone', 'running')];
    assert.ok(convergenceOf(global, tasks, nodes, new Map(), false).converged);
  });
});
