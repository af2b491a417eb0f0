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
    name: 'inspect',
    summary: 'Display detailed information on one or more nodes',
    load: () => import('./node/inspect.js').then((m) => m.nodeInspect),
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
    name: 'ps',
    summary: 'List tasks running on one or more nodes, defaults to current node',
    load: () => import('./node/ps.js').then((m) => m.nodePs),
  },
  {
    name: 'rm',
    aliases: ['remove'],
    summary: 'Remove one or more nodes from the swarm',
    load: () => import('./node/rm.js').then((m) => m.nodeRm),
  },
  { name: 'update', summary: 'Update a node', load: () => import('./node/update.js').then((m) => m.nodeUpdate) },
];

export const lab: readonly Entry[] = [
  {
    name: 'crash',
    summary: 'Cut the power: engine, daemon and containers die at once',
    load: () => import('./lab/hosts.js').then((m) => m.labCrash),
  },
  {
    name: 'down',
    summary: "End everything of the lab and remove it, the hosts' disks too",
    load: () => import('./lab/hosts.js').then((m) => m.labDown),
  },
  {
    name: 'exec',
    summary: 'Run a command on a host, or as "client" on a machine beside the cluster',
    load: () => import('./lab/hosts.js').then((m) => m.labExec),
  },
  {
    name: 'get',
    summary: 'Get a URL as a machine beside the cluster does',
    load: () => import('./lab/hosts.js').then((m) => m.labGet),
  },
  {
    name: 'heal',
    summary: 'Join hosts to the network again',
    load: () => import('./lab/hosts.js').then((m) => m.labHeal),
  },
  {
    name: 'partition',
    summary: 'Cut hosts off the network',
    load: () => import('./lab/hosts.js').then((m) => m.labPartition),
  },
  {
    name: 'start',
    summary: 'Boot hosts that are down, with the disks they had',
    load: () => import('./lab/hosts.js').then((m) => m.labStart),
  },
  { name: 'status', summary: 'What is up, and where', load: () => import('./lab/hosts.js').then((m) => m.labStatus) },
  {
    name: 'up',
    summary: 'Build and boot the hosts (three, unless HOSTS says how many)',
    load: () => import('./lab/up.js').then((m) => m.labUp),
  },
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

export const network: readonly Entry[] = [
  {
    name: 'create',
    summary: 'Create a network',
    load: () => import('./network/create.js').then((m) => m.networkCreate),
  },
  {
    name: 'inspect',
    summary: 'Display detailed information on one or more networks',
    load: () => import('./network/inspect.js').then((m) => m.networkInspect),
  },
  {
    name: 'ls',
    aliases: ['list'],
    summary: 'List networks',
    load: () => import('./network/ls.js').then((m) => m.networkLs),
  },
  {
    name: 'prune',
    summary: 'Remove all unused networks',
    load: () => import('./network/prune.js').then((m) => m.networkPrune),
  },
  {
    name: 'rm',
    aliases: ['remove'],
    summary: 'Remove one or more networks',
    load: () => import('./network/rm.js').then((m) => m.networkRm),
  },
  {
    name: 'verify',
    summary: "Compare a node's kernel with the state of the cluster",
    isOwn: true,
    load: () => import('./network/verify.js').then((m) => m.networkVerify),
  },
];

export const service: readonly Entry[] = [
  {
    name: 'create',
    summary: 'Create a new service',
    load: () => import('./service/create.js').then((m) => m.serviceCreate),
  },
  {
    name: 'diff',
    summary: 'Show what of a service an update would change',
    isOwn: true,
    load: () => import('./service/diff.js').then((m) => m.serviceDiff),
  },
  {
    name: 'inspect',
    summary: 'Display detailed information on one or more services',
    load: () => import('./service/inspect.js').then((m) => m.serviceInspect),
  },
  {
    name: 'logs',
    summary: 'Fetch the logs of a service or task',
    load: () => import('./service/logs.js').then((m) => m.serviceLogs),
  },
  {
    name: 'ls',
    aliases: ['list'],
    summary: 'List services',
    load: () => import('./service/ls.js').then((m) => m.serviceLs),
  },
  {
    name: 'ps',
    summary: 'List the tasks of one or more services',
    load: () => import('./service/ps.js').then((m) => m.servicePs),
  },
  {
    name: 'rm',
    aliases: ['remove'],
    summary: 'Remove one or more services',
    load: () => import('./service/rm.js').then((m) => m.serviceRm),
  },
  {
    name: 'rollback',
    summary: "Revert changes to a service's configuration",
    load: () => import('./service/rollback.js').then((m) => m.serviceRollback),
  },
  {
    name: 'scale',
    summary: 'Scale one or multiple replicated services',
    load: () => import('./service/scale.js').then((m) => m.serviceScale),
  },
  {
    name: 'update',
    summary: 'Update a service',
    load: () => import('./service/update.js').then((m) => m.serviceUpdate),
  },
];

export const secret: readonly Entry[] = [
  {
    name: 'create',
    summary: 'Create a secret from a file or STDIN as content',
    load: () => import('./data/secret.js').then((m) => m.create),
  },
  {
    name: 'inspect',
    summary: 'Display detailed information on one or more secrets',
    load: () => import('./data/secret.js').then((m) => m.inspect),
  },
  { name: 'ls', aliases: ['list'], summary: 'List secrets', load: () => import('./data/secret.js').then((m) => m.ls) },
  {
    name: 'rm',
    aliases: ['remove'],
    summary: 'Remove one or more secrets',
    load: () => import('./data/secret.js').then((m) => m.rm),
  },
];

export const config: readonly Entry[] = [
  {
    name: 'create',
    summary: 'Create a config from a file or STDIN',
    load: () => import('./data/config.js').then((m) => m.create),
  },
  {
    name: 'inspect',
    summary: 'Display detailed information on one or more configs',
    load: () => import('./data/config.js').then((m) => m.inspect),
  },
  { name: 'ls', aliases: ['list'], summary: 'List configs', load: () => import('./data/config.js').then((m) => m.ls) },
  {
    name: 'rm',
    aliases: ['remove'],
    summary: 'Remove one or more configs',
    load: () => import('./data/config.js').then((m) => m.rm),
  },
];

export const raft: readonly Entry[] = [
  {
    name: 'dump',
    summary: 'Show the records of a Raft log, of a daemon that is stopped',
    load: () => import('./raft/dump.js').then((m) => m.raftDump),
  },
  {
    name: 'verify',
    summary: 'Check whether a manager would start from its Raft log',
    load: () => import('./raft/verify.js').then((m) => m.raftVerify),
  },
];

export const stack: readonly Entry[] = [
  {
    name: 'deploy',
    aliases: ['up'],
    summary: 'Deploy a new stack or update an existing stack',
    load: () => import('./stack/deploy.js').then((m) => m.stackDeploy),
  },
  { name: 'ls', aliases: ['list'], summary: 'List stacks', load: () => import('./stack/ls.js').then((m) => m.stackLs) },
  { name: 'ps', summary: 'List the tasks in the stack', load: () => import('./stack/ps.js').then((m) => m.stackPs) },
  {
    name: 'rm',
    aliases: ['remove', 'down'],
    summary: 'Remove one or more stacks',
    load: () => import('./stack/rm.js').then((m) => m.stackRm),
  },
  {
    name: 'services',
    summary: 'List the services in the stack',
    load: () => import('./stack/services.js').then((m) => m.stackServices),
  },
];
