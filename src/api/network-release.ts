import type { Network } from '../model/types.js';
import { networksOf } from '../store/networks.js';
import type { View } from '../store/view.js';
import type { ManagerBackend } from './backend.js';
import type { Api, Exchange } from './exchange.js';

/** How long the removal of a network waits for tasks that are on their way out: a stop takes its grace (10 s unless it is set). */
const patience_ms = 60_000;

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
  let isLate = false;
  let wake = () => {};
  const cancel = api.clock.after(patience_ms, () => {
    isLate = true;
    wake();
  });
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
      if (isLate || response.destroyed || !isKeptByEndingTasksAlone(network.ID, view)) return;
      await changed;
    }
  } finally {
    cancel();
    unwatch();
    response.off('close', hangUp);
  }
}

function isKeptByEndingTasksAlone(id: string, view: View): boolean {
  for (const service of view.list('Service')) if (networksOf(service).includes(id)) return false;
  let isKept = false;
  for (const task of view.list('Task')) {
    if (!task.NetworksAttachments.some(({ Network }) => Network?.ID === id)) continue;
    if (view.get('Service', task.ServiceID) !== undefined) return false;
    isKept = true;
  }
  return isKept;
}
