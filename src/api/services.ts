import { timestamp } from '../model/clock.js';
import { complete } from '../model/codec.js';
import { ShoalError } from '../model/errors.js';
import { newID } from '../model/ids.js';
import { fromJSON, toJSON } from '../model/json.js';
import type { JobStatus, OperationInit, Service, ServiceInit, ServiceMode, ServiceSpec } from '../model/types.js';
import { withShownDefaults, withStoredDefaults } from '../model/validate/defaults.js';
import { validateServiceSpec } from '../model/validate/service.js';
import { answerList } from './answer-list.js';
import { answerDryRun, isDryRun, specChanges } from './dry-run.js';
import {
  type Api,
  answerEmpty,
  answerJSON,
  type Exchange,
  flag,
  managerOf,
  readJSON,
  versionParameter,
} from './exchange.js';
import { filtersOf } from './filters.js';
import { find } from './lookup.js';
import { generateName } from './name-generator.js';
import { refuseLocalNetworks, resolveReferences } from './references.js';
import { authOfUpdate, registryAuth } from './registry-auth.js';
import type { Route } from './router.js';
import { statusOf } from './service-status.js';
import { specForVersion } from './spec-for-version.js';
import { checkTemplates } from './task-templates.js';
import { outOfSequence, propose } from './transaction.js';

/** Attempts of a write whose secrets or configs go away while it is on its way, or whose chance name is taken. */
const attemptsMax = 5;

export const serviceRoutes: readonly Route[] = [
  { method: 'GET', pattern: '/services', handle: list },
  { method: 'POST', pattern: '/services/create', handle: create, isForeseen: true },
  { method: 'GET', pattern: '/services/{id}', handle: inspect },
  { method: 'POST', pattern: '/services/{id}/update', handle: update, isForeseen: true },
  { method: 'DELETE', pattern: '/services/{id}', handle: remove, isForeseen: true },
];

async function list(api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  const filters = filtersOf(exchange, ['name', 'id', 'label', 'mode', 'runtime']);
  const withStatus = flag(exchange, 'status') && exchange.minor >= 41;
  const view = await manager.read();
  const found: Service[] = [];
  for (const service of view.list('Service')) {
    const name = service.Spec?.Name ?? '';
    if (!filters.matchesPrefix('name', name) || !filters.matchesPrefix('id', service.ID)) continue;
    if (!filters.matchesLabels('label', service.Spec?.Labels ?? {})) continue;
    if (!filters.matches('mode', modeName(service.Spec?.Mode))) continue;
    if (!filters.matches('runtime', service.Spec?.TaskTemplate?.Runtime || 'container')) continue;
    found.push(service);
  }
  await answerList(exchange, found, (service) =>
    toJSON('Service', { ...service, ServiceStatus: withStatus ? statusOf(view, service) : null }),
  );
}

function modeName(mode: ServiceMode | null | undefined): string {
  if (mode?.Global) return 'global';
  if (mode?.ReplicatedJob) return 'replicated-job';
  return mode?.GlobalJob ? 'global-job' : 'replicated';
}

async function inspect(api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  const service = find(await manager.read(), 'Service', exchange.params.id!);
  const shown =
    flag(exchange, 'insertDefaults') && service.Spec ? { ...service, Spec: withShownDefaults(service.Spec) } : service;
  answerJSON(exchange, 200, toJSON('Service', shown));
}

async function create(api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  const given = await specOf(api, exchange);
  const id = newID(api.random);
  const isNamed = given.Name !== '';
  for (let left = attemptsMax; ; left--) {
    const spec = withStoredDefaults(isNamed ? given : { ...given, Name: generateName(api.random) });
    checkSpec(spec);
    const view = await manager.read();
    await refuseLocalNetworks(api, view, spec);
    const checks = resolveReferences(view, spec);
    const service: ServiceInit = {
      ID: id,
      Spec: spec,
      Endpoint: {},
      JobStatus: jobStatus(api, spec),
      RegistryAuth: registryAuth(exchange),
    };
    const operation: OperationInit = { Action: 'create', ID: id, Service: service };
    if (isDryRun(exchange)) return answerDryRun(api, exchange, manager, [operation]);
    try {
      await propose(api, manager, [operation, ...checks]);
      break;
    } catch (thrown) {
      const isChance = codeOf(thrown) === 'name-conflict' && !isNamed;
      if (left <= 1 || !(isChance || isReferenceGone(thrown, checks))) throw thrown;
    }
  }
  answerJSON(exchange, 201, exchange.minor >= 44 ? { ID: id, Warnings: null } : { ID: id });
}

/** Every update of a job runs it again: its next iteration. */
function jobStatus(api: Api, spec: ServiceSpec, previous?: Service): JobStatus | null {
  if (!spec.Mode?.ReplicatedJob && !spec.Mode?.GlobalJob) return null;
  const iteration = previous?.JobStatus?.JobIteration;
  return {
    JobIteration: { Index: iteration ? iteration.Index + 1 : 0 },
    LastExecution: timestamp(api.clock),
  };
}

async function update(api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  const rollback = exchange.query.get('rollback') ?? '';
  if (rollback !== '' && rollback !== 'previous') {
    throw new ShoalError('invalid-argument', `unrecognized rollback option ${rollback}, expected previous`);
  }
  const body = await specOf(api, exchange);
  const version = versionParameter(exchange, 'service');
  for (let left = attemptsMax; ; left--) {
    const view = await manager.read();
    const current = find(view, 'Service', exchange.params.id!);
    if (current.Version?.Index !== version) throw outOfSequence();
    const service =
      rollback === ''
        ? { ...updated(api, current, body), ...authOfUpdate(exchange, current) }
        : rolledBack(api, current);
    await refuseLocalNetworks(api, view, service.Spec!);
    const checks = resolveReferences(view, service.Spec!);
    const operation: OperationInit = { Action: 'update', ID: current.ID, ExpectedVersion: version, Service: service };
    if (isDryRun(exchange)) {
      return answerDryRun(api, exchange, manager, [operation], changesOf(current.Spec, service.Spec));
    }
    try {
      await propose(api, manager, [operation, ...checks]);
      break;
    } catch (thrown) {
      if (left <= 1 || !isReferenceGone(thrown, checks)) throw thrown;
    }
  }
  answerJSON(exchange, 200, { Warnings: null });
}

function updated(api: Api, current: Service, body: ServiceSpec): Service {
  const before = current.Spec;
  const spec = withStoredDefaults(body);
  checkSpec(spec);
  if (spec.Name !== before?.Name) {
    throw new ShoalError(
      'not-supported',
      `rpc error: code = Unimplemented desc = renaming services is not supported (Spec.Name: the service is named ${before?.Name})`,
    );
  }
  if (modeName(spec.Mode) !== modeName(before?.Mode)) {
    throw new ShoalError(
      'not-supported',
      'rpc error: code = Unimplemented desc = service mode change is not allowed (Spec.Mode)',
    );
  }
  return complete('Service', {
    ...current,
    Spec: spec,
    PreviousSpec: before,
    UpdateStatus: null,
    JobStatus: jobStatus(api, spec, current),
  });
}

function checkSpec(spec: ServiceSpec): void {
  validateServiceSpec(spec);
  checkTemplates(spec);
}

/** Docker's `rollback=previous`: the two specs change places, whatever the body says. */
function rolledBack(api: Api, current: Service): Service {
  if (!current.PreviousSpec) {
    throw new ShoalError(
      'failed-precondition',
      `rpc error: code = FailedPrecondition desc = service ${current.ID} does not have a previous spec`,
    );
  }
  const UpdateStatus = {
    State: 'rollback_started',
    Message: 'manually requested rollback',
    StartedAt: timestamp(api.clock),
  };
  const JobStatus = jobStatus(api, current.PreviousSpec, current);
  return complete('Service', {
    ...current,
    Spec: current.PreviousSpec,
    PreviousSpec: current.Spec,
    RegistryAuth: current.PreviousRegistryAuth,
    PreviousRegistryAuth: current.RegistryAuth,
    UpdateStatus: JobStatus === null ? UpdateStatus : null, // a job runs anew: there is nothing to be replaced step by step
    JobStatus,
  });
}

async function remove(api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  const service = find(await manager.read(), 'Service', exchange.params.id!);
  const operation: OperationInit = { Action: 'remove', Kind: 'Service', ID: service.ID };
  if (isDryRun(exchange)) return answerDryRun(api, exchange, manager, [operation]);
  await propose(api, manager, [operation]);
  answerEmpty(exchange, 200);
}

/** Defaults filled in on both sides: writing one out changes nothing. */
function changesOf(before: ServiceSpec | null, after: ServiceSpec | null) {
  const whole = (spec: ServiceSpec | null) => spec && withShownDefaults(spec);
  return specChanges('ServiceSpec', whole(before), whole(after));
}

/** The request's spec, as far as the API version that the client speaks knows it. */
async function specOf(api: Api, exchange: Exchange): Promise<ServiceSpec> {
  const body = await readJSON(api, exchange);
  if (body === undefined) {
    throw new ShoalError('invalid-argument', 'invalid JSON: got EOF while reading request body');
  }
  return specForVersion(fromJSON('ServiceSpec', body, 'Spec'), exchange.minor);
}

/** Whether a write may have failed because a secret or config went away on its way; a fresh look says so in the user's words. */
function isReferenceGone(thrown: unknown, checks: readonly unknown[]): boolean {
  return checks.length > 0 && codeOf(thrown) === 'not-found';
}

function codeOf(thrown: unknown): string {
  return thrown instanceof ShoalError ? thrown.code : '';
}
