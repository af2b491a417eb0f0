import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../model/errors.js';
import type { Operation, Service, Transaction } from '../model/types.js';
import { Draft } from './draft.js';
import { checkNetworkUnused, checkSubnetFree, freeNumber } from './networks.js';
import { observeNode, observeTask } from './observe.js';
import { type Refusal, Refused, refuse } from './refusal.js';
import { ingressPorts, type ObjectTables } from './tables.js';
import { type Change, type Kind, kinds, type Tables, type Verdict } from './view.js';

/**
 * Applies a transaction whole or not at all. Depends on nothing but the tables and the transaction, so every manager comes to the same
 * verdict. Returns what changed when it was accepted.
 */
export function applyTransaction(
  tables: ObjectTables,
  index: number,
  transaction: Transaction,
): { verdict: Verdict; changes: Change[] } {
  const draft = new Draft(tables);
  for (const [at, operation] of transaction.Operations.entries()) {
    try {
      applyOperation(draft, index, transaction.Time, operation);
    } catch (error) {
      // anything else thrown comes from a transaction nobody of ours would write; every manager throws it alike
      const refusal: Refusal =
        error instanceof Refused ? error.refusal : { code: 'invalid-argument', message: messageOf(error) };
      return { verdict: { ok: false, ...refusal, operation: at }, changes: [] };
    }
  }
  return { verdict: { ok: true, index }, changes: draft.commit() };
}

function applyOperation(draft: Draft, index: number, time: string, operation: Operation): void {
  const subject = subjectOf(operation);
  if (operation.Action === 'create') create(draft, index, time, withObject(subject));
  else if (operation.Action === 'update') update(draft, index, time, withObject(subject), operation.ExpectedVersion);
  else if (operation.Action === 'remove') remove(draft, subject, operation.ExpectedVersion);
  else if (operation.Action === 'observe') observe(draft, index, time, withObject(subject));
  else if (operation.Action === 'check') checkVersion(draft, subject, operation.ExpectedVersion);
  else {
    refuse(
      'invalid-argument',
      `Action: ${JSON.stringify(operation.Action)} is none of create, update, remove, observe, check`,
    );
  }
}

interface Subject {
  kind: Kind;
  id: string;
  object: Tables[Kind] | undefined;
}

function subjectOf(operation: Operation): Subject {
  for (const kind of kinds) {
    const object = operation[kind];
    if (object) return { kind, id: object.ID, object };
  }
  const kind = kinds.find((one) => one === operation.Kind);
  if (kind === undefined)
    return refuse('invalid-argument', `Kind: ${JSON.stringify(operation.Kind)} is none of ${kinds.join(', ')}`);
  return { kind, id: operation.ID, object: undefined };
}

type WithObject = Subject & { object: Tables[Kind] };

function withObject(subject: Subject): WithObject {
  if (subject.object === undefined)
    return refuse('invalid-argument', `${subject.kind}: the operation carries no object`);
  if (subject.id === '') return refuse('invalid-argument', `${subject.kind}.ID: must not be empty`);
  return subject as WithObject;
}

function create(draft: Draft, index: number, time: string, { kind, id, object }: WithObject): void {
  if (draft.get(kind, id) !== undefined) refuse('name-conflict', `${kind.toLowerCase()} ${id} already exists`);
  checkUnique(draft, kind, object);
  draft.put(kind, bornAs(draft, kind, object, index, time));
}

/** A new object with what the store itself decides of it. */
function bornAs(draft: Draft, kind: Kind, object: Tables[Kind], index: number, time: string): Tables[Kind] {
  if (kind === 'Task') return bornTask(draft, object as Tables['Task'], index, time);
  const stamped = { ...object, Version: { Index: index }, CreatedAt: time, UpdatedAt: time };
  switch (kind) {
    case 'Service':
      return { ...(stamped as Service), SpecVersion: index };
    case 'Node':
      return { ...(stamped as Tables['Node']), Number: freeNumber(draft, 'Node') };
    case 'Network':
      checkSubnetFree(draft, stamped as Tables['Network']);
      return { ...(stamped as Tables['Network']), Number: freeNumber(draft, 'Network') };
    default:
      return stamped;
  }
}

/** Copied once, all in one: most of what is ever created are tasks. */
function bornTask(draft: Draft, task: Tables['Task'], index: number, time: string): Tables['Task'] {
  return {
    ...task,
    Version: { Index: index },
    CreatedAt: time,
    UpdatedAt: time,
    Spec: draft.sharedSpec(task),
    Status: task.Status && { ...task.Status, AppliedAt: time },
    BornIndex: index,
  };
}

function update(
  draft: Draft,
  index: number,
  time: string,
  { kind, id, object }: WithObject,
  expected: number | undefined,
): void {
  const before = existing(draft, kind, id);
  matchVersion(kind, before, expected);
  checkUnique(draft, kind, object);
  const after = {
    ...withObservedOf(kind, object, before, index),
    Version: { Index: index },
    CreatedAt: before.CreatedAt,
    UpdatedAt: time,
  };
  draft.put(kind, after);
}

/** The new object with what an update cannot set: the observed fields, and what the store itself derives. */
function withObservedOf(kind: Kind, object: Tables[Kind], before: Tables[Kind], index: number): Tables[Kind] {
  if (kind === 'Task') {
    const { Status, BornIndex } = before as Tables['Task'];
    return { ...(object as Tables['Task']), Status, BornIndex };
  }
  if (kind === 'Node') {
    const known = before as Tables['Node'];
    const { Description, Status } = known;
    return { ...(object as Tables['Node']), Description, Status, Number: known.Number };
  }
  if (kind === 'Network') return { ...(object as Tables['Network']), Number: (before as Tables['Network']).Number };
  if (kind === 'Service') return withSpecVersion(object as Service, before as Service, index);
  return object;
}

/** SpecVersion moves when tasks made from the old spec are no longer what the service asks for. */
function withSpecVersion(service: Service, before: Service, index: number): Service {
  const same =
    isDeepStrictEqual(service.Spec?.TaskTemplate, before.Spec?.TaskTemplate) &&
    isDeepStrictEqual(service.Spec?.Networks ?? [], before.Spec?.Networks ?? []) &&
    isDeepStrictEqual(service.Spec?.EndpointSpec?.Ports ?? [], before.Spec?.EndpointSpec?.Ports ?? []);
  return {
    ...service,
    SpecVersion: same ? before.SpecVersion : index,
    PreviousSpecVersion: same ? before.PreviousSpecVersion : before.SpecVersion,
  };
}

function remove(draft: Draft, { kind, id }: Subject, expected: number | undefined): void {
  const before = existing(draft, kind, id);
  matchVersion(kind, before, expected);
  if (kind === 'Secret' || kind === 'Config') refuseInUse(draft, kind, before as Tables['Secret' | 'Config']);
  if (kind === 'Network') checkNetworkUnused(draft, id);
  draft.drop(kind, id);
}

/** A service that names a secret or config keeps it: whoever looked before the service came must not take it away after. */
function refuseInUse(draft: Draft, kind: 'Secret' | 'Config', file: Tables['Secret' | 'Config']): void {
  const users = [...draft.list('Service')].filter((service) => fileIDs(service, kind).includes(file.ID));
  if (users.length === 0) return;
  const names = users.map((service) => service.Spec?.Name ?? service.ID).join(', ');
  const word = users.length > 1 ? 'services' : 'service';
  refuse(
    'invalid-argument',
    `rpc error: code = InvalidArgument desc = ${kind.toLowerCase()} '${file.Spec?.Name}' is in use by the following ${word}: ${names}`,
  );
}

function fileIDs(service: Service, kind: 'Secret' | 'Config'): string[] {
  const container = service.Spec?.TaskTemplate?.ContainerSpec;
  if (kind === 'Secret') return (container?.Secrets ?? []).map((one) => one.SecretID);
  return (container?.Configs ?? []).map((one) => one.ConfigID);
}

/** A report about something that is gone is dropped: what it says no longer matters to anyone. */
function observe(draft: Draft, index: number, time: string, { kind, id, object }: WithObject): void {
  const before = draft.get(kind, id);
  if (before === undefined) return;
  let after: Tables[Kind] | undefined;
  if (kind === 'Task') {
    const seen = (object as Tables['Task']).Status;
    after = seen === null ? undefined : observeTask(before as Tables['Task'], seen, time);
  } else if (kind === 'Node') {
    after = observeNode(before as Tables['Node'], object as Tables['Node'], index);
  } else {
    refuse('invalid-argument', `observe: a ${kind} has no observed fields`);
  }
  if (after !== undefined) draft.put(kind, after);
}

function checkVersion(draft: Draft, { kind, id }: Subject, expected: number | undefined): void {
  if (expected === undefined) {
    existing(draft, kind, id);
    return;
  }
  const version = draft.get(kind, id)?.Version?.Index ?? 0;
  if (version !== expected) refuse('out-of-sequence', `${kind.toLowerCase()} ${id} changed meanwhile`);
}

function existing(draft: Draft, kind: Kind, id: string): Tables[Kind] {
  return draft.get(kind, id) ?? refuse('not-found', `${kind.toLowerCase()} ${id} not found`);
}

function matchVersion(kind: Kind, before: Tables[Kind], expected: number | undefined): void {
  if (expected !== undefined && expected !== before.Version?.Index) {
    refuse(
      'out-of-sequence',
      `rpc error: code = Unknown desc = update out of sequence (${kind.toLowerCase()} ${before.ID})`,
    );
  }
}

function checkUnique(draft: Draft, kind: Kind, object: Tables[Kind]): void {
  const holder = draft.holderOfName(kind, object);
  if (holder !== undefined && holder !== object.ID) {
    refuse(
      'name-conflict',
      `rpc error: code = AlreadyExists desc = ${kind === 'Service' ? 'name conflicts with an existing object: ' : ''}${kind.toLowerCase()} ${(object as Service).Spec?.Name ?? ''} already exists`,
    );
  }
  if (kind !== 'Service') return;
  for (const port of ingressPorts(object as Service)) {
    const owner = draft.holderOfPort(port);
    if (owner === undefined || owner === object.ID) continue;
    const number = port.slice(port.indexOf('/') + 1);
    const by = draft.get('Service', owner)?.Spec?.Name;
    refuse(
      'invalid-argument',
      `rpc error: code = InvalidArgument desc = port '${number}' is already in use by service '${by}' (${owner}) as an ingress port`,
    );
  }
}
