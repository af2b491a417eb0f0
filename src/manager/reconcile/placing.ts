import { isAttachment } from '../../model/attachment.js';
import { isEncrypted } from '../../model/encrypted-networks.js';
import { isFinal } from '../../model/states.js';
import type { NetworkAttachment, Node, Task, TaskSpec, TaskStatus } from '../../model/types.js';
import { Fleet } from '../../scheduler/fleet.js';
import type { Group, Placed, Wanted } from '../../scheduler/group.js';
import { place } from '../../scheduler/place.js';
import { attach } from './attachments.js';
import { failuresUpTo } from './failures.js';
import type { Pass, ServicePass } from './pass.js';
import { isEnded } from './slots.js';

/** Chooses nodes for everything that is born in this pass and for all that still waits for one, in one wave. */
export function placeTasks(pass: Pass, services: readonly ServicePass[]): void {
  const born = new Map<string, { task: Task; wanted: Wanted }>();
  for (const birth of pass.draft.births)
    born.set(birth.task.ID, { task: birth.task, wanted: { id: birth.task.ID, ...birth.wanted } });
  const waiting = new Map<string, Task>();
  const groups: Group[] = [];
  for (const service of services) groups.push(...groupsOf(service, born, waiting));
  if (groups.length === 0) return;
  const { placed, unplaced } = place(fleetOf(pass), groups);
  const used = new Set<string>();
  for (const [id, place] of placed) {
    const task = waiting.get(id) ?? born.get(id)!.task;
    const attachments = attach(task, pass.view, pass.addresses);
    if (typeof attachments === 'string') {
      unplaced.set(id, attachments);
      continue;
    }
    used.add(place.nodeID);
    if (waiting.has(id)) settleWaiting(task, place, attachments, pass);
    else settleBirth(task, place, attachments, pass);
  }
  for (const [id, reason] of unplaced) leaveWaiting(pass, born.get(id), waiting.get(id), reason);
  for (const nodeID of used) checkNode(pass, pass.view.get('Node', nodeID));
}

/** Births of a service share its template; a task that waits may have an older spec, and so a group of its own. */
function groupsOf(
  service: ServicePass,
  born: ReadonlyMap<string, { task: Task; wanted: Wanted }>,
  waiting: Map<string, Task>,
): Group[] {
  const bySpec = new Map<TaskSpec, Wanted[]>();
  const add = (spec: TaskSpec, wanted: Wanted) => {
    const group = bySpec.get(spec);
    if (group === undefined) bySpec.set(spec, [wanted]);
    else group.push(wanted);
  };
  for (const slot of service.slots.values()) {
    for (const task of slot.live) {
      const birth = born.get(task.ID);
      if (birth !== undefined) add(service.template, birth.wanted);
      else if (task.NodeID === '' && !isFinal(task.Status?.State ?? '') && task.Spec !== null) {
        waiting.set(task.ID, task);
        const current = task.SpecVersion === service.service.SpecVersion;
        add(current ? service.template : task.Spec, {
          id: task.ID,
          onlyNodeID: service.global ? slot.nodeID : undefined,
        });
      }
    }
  }
  if (bySpec.size === 0) return [];
  const occupancy = occupancyOf(service);
  return [...bySpec].map(([spec, wanted]) => ({ serviceID: service.service.ID, spec, wanted, ...occupancy }));
}

/** Where the service's tasks are: those that will stay, others that may still run, and those that failed lately. */
function occupancyOf(service: ServicePass): Pick<Group, 'running' | 'leaving' | 'failures'> {
  const running = new Map<string, number>();
  const leaving = new Map<string, number>();
  const failures = new Map<string, number>();
  const count = (map: Map<string, number>, nodeID: string) => map.set(nodeID, (map.get(nodeID) ?? 0) + 1);
  for (const slot of service.slots.values()) {
    const stays = slot.live.at(-1);
    if (stays !== undefined && stays.NodeID !== '') count(running, stays.NodeID);
    for (const task of slot.live) if (task !== stays && task.NodeID !== '') count(leaving, task.NodeID);
    for (const task of slot.leaving) count(leaving, task.NodeID);
    const last = slot.newest;
    if (last === undefined) continue;
    for (const { NodeID } of failuresUpTo(last, service.service.SpecVersion, service.pass.now)) count(failures, NodeID);
  }
  for (const task of service.removing) if (task.NodeID !== '' && !isEnded(task)) count(leaving, task.NodeID);
  return { running, leaving, failures };
}

/** All nodes and what is on them once the plan is applied. */
function fleetOf(pass: Pass): Fleet {
  const encrypted = [...pass.view.list('Network')].filter(isEncrypted).map(({ ID }) => ID);
  const fleet = new Fleet(pass.view.list('Node'), new Set(encrypted));
  for (const { node } of fleet.candidates) {
    for (const task of pass.view.tasksOfNode(node.ID)) {
      if (!isAttachment(task)) fleet.book(task, pass.draft.keepsWanted(task));
    }
  }
  return fleet;
}

function settleBirth(task: Task, place: Placed, attachments: NetworkAttachment[], pass: Pass): void {
  task.NodeID = place.nodeID;
  task.NetworksAttachments = attachments;
  task.AssignedGenericResources = place.generic;
  task.Status = assigned(pass);
}

function settleWaiting(task: Task, place: Placed, attachments: NetworkAttachment[], pass: Pass): void {
  pass.draft.change(task, {
    NodeID: place.nodeID,
    AssignedGenericResources: place.generic,
    NetworksAttachments: attachments,
  });
  pass.draft.observe(task, assigned(pass));
}

/** A task without a node says why, and waits. */
function leaveWaiting(
  pass: Pass,
  birth: { task: Task; wanted: Wanted } | undefined,
  waiting: Task | undefined,
  reason: string,
): void {
  const serviceID = (birth?.task ?? waiting)!.ServiceID;
  pass.draft.waiting.add(serviceID);
  const status = pending(pass, reason);
  if (birth !== undefined) birth.task.Status = status;
  else if (waiting !== undefined && waiting.Status?.Err !== reason) pass.draft.observe(waiting, status);
}

/** Of a task that is its node's to deal with. */
export function assigned(pass: Pass): TaskStatus {
  return { ...emptyStatus(pass), State: 'assigned', Message: 'scheduler assigned task to node' };
}

/** Of a task that cannot have what it needs. */
export function pending(pass: Pass, reason: string): TaskStatus {
  return { ...emptyStatus(pass), State: 'pending', Message: 'pending task scheduling', Err: reason };
}

function emptyStatus(pass: Pass): TaskStatus {
  return {
    Timestamp: new Date(pass.now).toISOString(),
    State: '',
    Message: '',
    Err: '',
    ContainerStatus: null,
    PortStatus: null,
    Addresses: [],
    AppliedBy: '',
    AppliedAt: '',
    RunningAt: '',
  };
}

function checkNode(pass: Pass, node: Node | undefined): void {
  if (node !== undefined) pass.draft.checkNode(node.ID, node.Version?.Index ?? 0);
}
