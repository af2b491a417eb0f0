import type { Random } from '../../model/random.js';
import type { View } from '../../store/view.js';
import { Addresses, restAfter } from './addresses.js';
import { noService, planAttached } from './attached-containers.js';
import { Draft } from './draft.js';
import { Nodes } from './nodes.js';
import type { Pass, ServicePass } from './pass.js';
import { placeTasks } from './placing.js';
import { earliestOf, type Plan } from './plan.js';
import { PublishedPorts } from './ports.js';
import { removeTasks } from './removal.js';
import { planService } from './service.js';

/**
 * What the cluster needs next, as transactions, mostly one: which tasks each service shall have, where they run, and which stop. Pure: all
 * follows from what is replicated and from `now` (milliseconds since 1970), so any manager goes on where another left
 * off, and a dry run is the same call without the commit. `random` gives ids.
 *
 * `services`: look at these only (ids, of services that are gone too); what else changed since the last plan is the caller's to
 * know. Left out: look at all.
 */
export function reconcile(view: View, now: number, random: Random, services?: ReadonlySet<string>): Plan {
  const draft = new Draft();
  const pass: Pass = {
    view,
    now,
    random,
    nodes: new Nodes(view),
    ports: new PublishedPorts(view),
    addresses: new Addresses(view, now),
    draft,
  };
  const planned: ServicePass[] = [];
  const left = new Set<string>();
  const cutOff: string[] = []; // their turn comes after that of those not looked at
  for (const id of services ?? allServices(view)) {
    draft.begin(id);
    if (!draft.hasRoom()) {
      left.add(id);
      continue;
    }
    const service = view.get('Service', id);
    if (service === undefined) {
      if (id === noService) planAttached(pass);
      else removeTasks(pass, view.tasksOfService(id));
      if (draft.cut) cutOff.push(id);
      continue;
    }
    const before = draft.size;
    const of = planService(pass, service);
    if (of !== undefined) planned.push(of);
    if (of === undefined || of.isPaced) draft.paced.add(id);
    if (draft.cut) cutOff.push(id);
    if (draft.size > before) draft.checkService(service);
  }
  for (const id of cutOff) left.add(id);
  placeTasks(pass, planned);
  for (const network of restAfter(view, draft.removed, now)) draft.writeNetwork(network);
  return {
    transactions: draft.transactions(now),
    wakeAt: earliestOf(draft.wakes.values()),
    wakes: draft.wakes,
    waiting: draft.waiting,
    paced: draft.paced,
    left,
  };
}

/** Every service there is, every one that is gone but has left tasks, and `noService` where tasks are of none. */
export function allServices(view: View): Set<string> {
  const ids = new Set<string>();
  for (const service of view.list('Service')) ids.add(service.ID);
  for (const task of view.list('Task')) ids.add(task.ServiceID);
  return ids;
}
