import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isFinal, rankOf, taskStates } from '../../../src/model/states.js';
import type { Container } from '../../../src/worker/container.js';
import { goalOf, goals, isUp, nextStep, type Seen } from '../../../src/worker/task-step.js';
import { taskOf } from '../../helpers/node-under-test.js';

const container = (init: Partial<Container>): Container => ({
  id: 'c',
  name: 'web.1.t',
  labels: {},
  phase: 'created',
  started: false,
  pid: 0,
  exitCode: 0,
  error: '',
  health: '',
  stopGrace_ms: 10_000,
  bindings: [],
  autoRemove: false,
  address: '',
  networks: [],
  ...init,
});
const created = container({});
const running = container({ phase: 'running', started: true });
const exited = container({ phase: 'exited', started: true });

describe('the next step of a task', () => {
  const cases: [state: string, goal: (typeof goals)[number], seen: Seen, fault: string, step: string][] = [
    ['assigned', 'running', undefined, '', 'accept'],
    ['accepted', 'running', undefined, '', 'prepare'],
    ['preparing', 'running', undefined, '', 'create'],
    ['preparing', 'running', created, '', 'prepared'],
    ['ready', 'ready', created, '', 'wait'],
    ['ready', 'running', created, '', 'begin'],
    ['ready', 'ready', undefined, '', 'create'],
    ['ready', 'ready', running, '', 'begin'],
    ['starting', 'running', created, '', 'start'],
    ['starting', 'running', running, '', 'running'],
    ['starting', 'running', container({ phase: 'running', started: true, health: 'starting' }), '', 'wait'],
    ['starting', 'running', exited, '', 'ended'],
    ['starting', 'running', undefined, '', 'lost'],
    ['running', 'running', running, '', 'wait'],
    ['running', 'running', exited, '', 'ended'],
    ['running', 'running', undefined, '', 'lost'],
    ['running', 'running', 'unknown', '', 'look'],
    ['running', 'stopped', running, '', 'stop'],
    ['running', 'stopped', exited, '', 'shutdown'],
    ['running', 'running', running, 'ill', 'stop'],
    ['running', 'running', exited, 'ill', 'fail'],
    ['preparing', 'running', undefined, 'no image', 'fail'],
    ['preparing', 'stopped', undefined, '', 'shutdown'],
    ['shutdown', 'stopped', exited, '', 'wait'],
    ['shutdown', 'removed', exited, '', 'remove'],
    ['shutdown', 'removed', undefined, '', 'wait'],
    ['shutdown', 'forgotten', undefined, '', 'done'],
    ['orphaned', 'running', running, '', 'stop'],
    ['failed', 'running', exited, '', 'wait'],
  ];
  for (const [state, goal, seen, fault, step] of cases) {
    const there =
      typeof seen === 'object'
        ? `a container that is ${seen.phase}${seen.health && `, ${seen.health}`}`
        : `container ${seen ?? 'none'}`;
    it(`${state}, to be ${goal}, ${there}${fault && `, at fault`}: ${step}`, () => {
      assert.equal(nextStep(state, goal, seen, fault), step);
    });
  }

  it('creates and starts only what is wanted, and never takes a running container from a task that is wanted and well', () => {
    const seens = fc.constantFrom<Seen>(undefined, 'unknown', created, running, exited);
    fc.assert(
      fc.property(
        fc.constantFrom(...taskStates),
        fc.constantFrom(...goals),
        seens,
        fc.constantFrom('', 'ill'),
        (state, goal, seen, fault) => {
          const step = nextStep(state, goal, seen, fault);
          const wanted = isUp(goal) && fault === '' && !isFinal(state);
          if (step === 'create' || step === 'start') assert.ok(wanted);
          if (step === 'stop' || step === 'remove') assert.ok(!wanted);
          if (step === 'start') assert.ok(typeof seen === 'object' && !seen.started);
          if (step === 'remove' || step === 'done') assert.ok(isFinal(state), 'its end is told first');
        },
      ),
    );
  });

  it('follows DesiredState, a job’s complete being running', () => {
    const goal = (DesiredState: string) => goalOf(taskOf(1, 'n', {}, { DesiredState }));
    assert.deepEqual(['ready', 'running', 'complete', 'shutdown', 'remove', 'orphaned', ''].map(goal), [
      'ready',
      'running',
      'running',
      'stopped',
      'removed',
      'removed',
      'ready',
    ]);
    assert.ok(rankOf('complete') < rankOf('shutdown'));
  });
});
