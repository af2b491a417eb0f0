import { isAttachment } from '../../model/attachment.js';
import type { Task } from '../../model/types.js';
import { attach } from './attachments.js';
import type { Pass } from './pass.js';
import { assigned, pending } from './placing.js';
import { isEnded } from './slots.js';

/** What stands for a service's id in tasks that are of none. */
export const noService = '';

/**
 * Tasks that keep addresses for containers of nodes' own users: one that is new gets its address, one whose container has ended or whose
 * node was taken out of the cluster leaves the store. A node that is only lost may run its containers still, so they keep what they have.
 */
export function planAttached(pass: Pass): void {
  for (const task of pass.view.tasksOfService(noService)) {
    if (!pass.draft.hasRoom()) return;
    if (!isAttachment(task) || isEnded(task) || pass.nodes.standing(task.NodeID) === 'gone') pass.draft.remove(task);
    else if (task.NetworksAttachments.length === 0) give(pass, task);
  }
}

function give(pass: Pass, task: Task): void {
  const attachments = attach(task, pass.view, pass.addresses);
  if (typeof attachments !== 'string') {
    pass.draft.change(task, { NetworksAttachments: attachments });
    pass.draft.observe(task, assigned(pass));
  } else if (task.Status?.Err !== attachments) {
    pass.draft.observe(task, pending(pass, attachments));
  }
}
