import type { CommandSpec, CommandTitle } from './base/command.js';

/** A command by name, and where its code is: loaded only when it is called. */
export interface Entry extends CommandTitle {
  load(): Promise<CommandSpec>;
}

export const node: readonly Entry[] = [
  {
    name: 'demote',
    summary: 'Demote one or more nodes from manager in the swarm',
    load: () => import('./node/role.js').then((m) => m.demote),
  },
  {
    name: 'ls',
    aliases: ['list'],
    summary: 'List nodes in the swarm',
    load: () => import('./node/ls.js').then((m) => m.nodeLs),
  },
  {
    name: 'promote',
    summary: 'Promote one or more nodes to manager in the swarm',
    load: () => import('./node/role.js').then((m) => m.promote),
  },
  {
    name: 'rm',
    aliases: ['remove'],
    summary: 'Remove one or more nodes from the swarm',
    load: () => import('./node/rm.js').then((m) => m.nodeRm),
  },
  { name: 'update', summary: 'Update a node', load: () => import('./node/update.js').then((m) => m.nodeUpdate) },
];

export const swarm: readonly Entry[] = [
  { name: 'ca', summary: 'Display and rotate the root CA', load: () => import('./swarm/ca.js').then((m) => m.swarmCa) },
  { name: 'init', summary: 'Initialize a swarm', load: () => import('./swarm/init.js').then((m) => m.swarmInit) },
  {
    name: 'join',
    summary: 'Join a swarm as a node and/or manager',
    load: () => import('./swarm/join.js').then((m) => m.swarmJoin),
  },
  {
    name: 'join-token',
    summary: 'Manage join tokens',
    load: () => import('./swarm/join-token.js').then((m) => m.joinToken),
  },
  { name: 'leave', summary: 'Leave the swarm', load: () => import('./swarm/leave.js').then((m) => m.swarmLeave) },
  { name: 'unlock', summary: 'Unlock swarm', load: () => import('./swarm/unlock.js').then((m) => m.swarmUnlock) },
  {
    name: 'unlock-key',
    summary: 'Manage the unlock key',
    load: () => import('./swarm/unlock.js').then((m) => m.unlockKey),
  },
  { name: 'update', summary: 'Update the swarm', load: () => import('./swarm/update.js').then((m) => m.swarmUpdate) },
];
