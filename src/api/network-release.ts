import { isAttachment } from '../model/attachment.js';
import type { Network } from '../model/types.js';
import { networksOf } from '../store/networks.js';
import type { View } from '../store/view.js';
import type { ManagerBackend } from './backend.js';
import type { Api, Exchange } from './exchange.js';

/** How long the removal of a network waits for tasks that are on their way out: a stop takes its grace (10 s unless it is set). */
const patience_ms = 60_000;
/** … and for a container of a node's own that has just ended, of which the managers hear in a moment. */
const attachedPatience_ms = 3_000;

/**
 * Waits while nothing keeps the network but tasks of services that are gone already. `docker stack rm` asks for its networks in the same
 * moment as for its services; in Docker the network is free once those tasks are told to stop, here once they have stopped, for their
 * addresses are of use until then.
 */
export async function releasedByEndingTasks(
  api: Api,
  manager: ManagerBackend,
  network: Network,
  { response }: Exchange,
): Promise<void> {
  const begun_ms = api.clock.monotonic();
  let wake = () => {};
  const cancels = [attachedPatience_ms, patience_ms].map((after_ms) => api.clock.after(after_ms, () => wake()));
  const hangUp = () => wake();
  response.once('close', hangUp);
  const unwatch = manager.watch(() => wake());
  try {
    for (;;) {
      // Made before the look: what is committed during it must not be missed.
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const view = await manager.read();
      const waited_ms = api.clock.monotonic() - begun_ms;
      if (response.destroyed || waited_ms >= patienceWith(network.ID, view)) return;
      await changed;
    }
  } finally {
    for (const cancel of cancels) cancel();
    unwatch();
    response.off('close', hangUp);
  }
}

/** How long what keeps the network may be waited for: not at all when nothing does, or something that will not go by itself. */
function patienceWith(id: string, view: View): number {
  for (const service of view.list('Service')) if (networksOf(service).includes(id)) return 0;
  let longest_ms = 0;
  let isAttached = false;
  for (const task of view.list('Task')) {
    if (!task.NetworksAttachments.some(({ Network }) => Network?.ID === id)) continue;
    if (view.get('Service', task.ServiceID) !== undefined) return 0;
    if (isAttachment(task)) isAttached = true;
    else longest_ms = patience_ms;
  }
  return isAttached ? attachedPatience_ms : longest_ms;
}
