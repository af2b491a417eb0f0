import type { Service } from '../../model/types.js';
import { fillNodes } from './global.js';
import { trimHistory } from './history.js';
import { completionsOf, runJob } from './job.js';
import { type Pass, ServicePass } from './pass.js';
import { endpointFor } from './ports.js';
import { promoteSlot } from './promote.js';
import { finishRemoval, removeTasks } from './removal.js';
import { scaleDown, scaleUp } from './replicated.js';
import { settleSlot, tendSlot } from './restart.js';
import { isAttempt, isUpdating, judgeFailures, rollForward } from './update.js';

/** Plans for one service all that it needs now. Returns it for its births to be placed; undefined when it is not to have any. */
export function planService(pass: Pass, service: Service): ServicePass | undefined {
  const mode = service.Spec?.Mode;
  const settled = withEndpoint(pass, service);
  if (settled === undefined) return undefined;
  const of = new ServicePass(pass, settled);
  finishRemoval(pass, of.removing);
  removeTasks(pass, of.outdated);
  const job = of.iteration !== undefined;
  if (!job && judgeFailures(of)) return undefined;
  const replicas = job ? completionsOf(mode?.ReplicatedJob ?? null) : (mode?.Replicated?.Replicas ?? 1);
  if (!of.global) scaleDown(of, replicas);
  for (const slot of of.slots.values()) {
    if (!pass.draft.hasRoom()) return of;
    tendSlot(of, slot);
    settleSlot(of, slot);
  }
  if (of.global) fillNodes(of);
  else if (job) runJob(of, mode!.ReplicatedJob!);
  else scaleUp(of, replicas);
  if (!job) rollForward(of);
  const updating = isUpdating(of.service.UpdateStatus);
  for (const slot of of.slots.values()) {
    if (!pass.draft.hasRoom()) return of;
    promoteSlot(of, slot);
    trimHistory(of, slot, (task) => updating && isAttempt(of, task));
  }
  return of;
}

/** Undefined when its endpoint is to change and this plan has no room for that. */
function withEndpoint(pass: Pass, service: Service): Service | undefined {
  const endpoint = endpointFor(service, pass);
  if (endpoint === undefined) return service;
  if (!pass.draft.mayWriteService()) return undefined;
  const after = { ...service, Endpoint: endpoint };
  pass.draft.writeService(service, after);
  return after;
}
