import type { Mutant } from '../mutants.js';

// `npm run simulate:mutants -- services`: of what decides which tasks there are and where; files are below src.
export const servicesMutants: readonly Mutant[] = [
  {
    name: 'a job that completes once too often',
    file: 'manager/reconcile/job.js',
    find: 'completions - given)',
    replace: 'completions - given + 1)',
  },
  {
    name: 'a job that runs more at once than it may',
    file: 'manager/reconcile/job.js',
    find: 'most - underWay',
    replace: 'most - underWay + 1',
  },
  {
    name: 'constraints that bind nothing',
    file: 'scheduler/filters.js',
    find: 'passes: (candidate) => matches(candidate.node),',
    replace: 'passes: () => true,',
  },
  {
    name: 'reservations that hold nothing',
    file: 'scheduler/fleet.js',
    find: 'demand.nanoCPUs <= this.nanoCPUs)',
    replace: 'true)',
  },
  {
    name: 'tasks for nodes that are paused',
    file: 'scheduler/fleet.js',
    find: "=== 'active';",
    replace: "!== 'drain';",
  },
  {
    name: 'a global job that passes over nodes that come later',
    file: 'manager/agenda.js',
    find: ' || Spec?.Mode?.GlobalJob != null',
    replace: '',
  },
  {
    name: 'waiting tasks that are not thought of when room comes',
    file: 'manager/agenda.js',
    find: 'if (freed)',
    replace: 'if (false)',
  },
  {
    name: 'labels that change under running tasks without effect',
    file: 'manager/reconcile/freshness.js',
    find: 'return this.#satisfies(this.isFresh(task) ? this.#template : task.Spec, task);',
    replace: 'return true;',
  },
  {
    name: 'an update that never ends',
    file: 'manager/reconcile/update.js',
    find: '        complete(pass);',
    replace: '        ;',
  },
  {
    name: 'one replica too few after scaling down',
    file: 'manager/reconcile/replicated.js',
    find: 'occupied.length - replicas)',
    replace: 'occupied.length - replicas + (occupied.length > replicas ? 1 : 0))',
  },
  {
    name: 'a service that crowds one node',
    file: 'scheduler/pickers.js',
    find: 'state.runningOn(candidate) * perService',
    replace: '-state.runningOn(candidate)',
  },
  {
    name: 'drained nodes that keep their tasks',
    file: 'manager/reconcile/nodes.js',
    find: "=== 'drain' ? 'drained'",
    replace: "=== 'drain' ? 'fine'",
  },
  {
    name: 'an update that takes old tasks for new',
    file: 'manager/reconcile/update.js',
    find: 'return !slot.live.some(',
    replace: 'return false && !slot.live.some(',
  },
  {
    name: 'a completed run that is run again',
    file: 'manager/reconcile/restart.js',
    find: "if (state === 'complete' && (",
    replace: 'if (false && (',
  },
  {
    name: 'an update that takes one more down than it may',
    file: 'manager/reconcile/update.js',
    find: 'policy.parallelism - underWay',
    replace: 'policy.parallelism - underWay + 1',
  },
  {
    name: 'an update that starts first though it shall stop first',
    file: 'manager/reconcile/update.js',
    find: 'policy.startFirst && serving !== undefined',
    replace: 'serving !== undefined',
  },
  {
    name: 'a successor that does not wait for its predecessor to stop',
    file: 'manager/reconcile/promote.js',
    find: 'if (slot.leaving.length > 0)',
    replace: 'if (false)',
  },
  {
    name: 'a rollback that goes by the policy of updates',
    file: 'manager/reconcile/policy.js',
    find: 'rollingBack ? service.Spec?.RollbackConfig :',
    replace: 'false ? service.Spec?.RollbackConfig :',
  },
  {
    name: 'updates that wait for clocks that were ahead',
    file: 'manager/reconcile/policy.js',
    find: 'time > now + skew_ms',
    replace: 'false',
  },
  {
    name: 'a limit of replicas on a node that is none',
    file: 'scheduler/filters.js',
    find: 'present < limit',
    replace: 'true',
  },
  {
    name: 'replicas that share a slot',
    file: 'manager/reconcile/replicated.js',
    find: 'if (occupied.has(number))',
    replace: 'if (false)',
  },
  {
    name: 'successors that nobody sees run',
    file: 'manager/agenda.js',
    find: "return paced && is === 'running'",
    replace: "return false && is === 'running'",
  },
  {
    name: 'endpoints that nodes are not told have gone',
    file: 'network/wanted-routes.js',
    find: 'const gone = new Set(RemovedTaskIDs);',
    replace: 'const gone = new Set();',
  },
];
