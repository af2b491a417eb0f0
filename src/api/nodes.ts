import { complete } from '../model/codec.js';
import { fromJSON, toJSON } from '../model/json.js';
import type { Node, OperationInit } from '../model/types.js';
import { validateNodeSpec } from '../model/validate/node.js';
import type { ManagerBackend } from './backend.js';
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
import type { Route } from './router.js';
import { outOfSequence, propose } from './transaction.js';

export const nodeRoutes: readonly Route[] = [
  { method: 'GET', pattern: '/nodes', handle: list },
  { method: 'GET', pattern: '/nodes/{id}', handle: inspect },
  { method: 'POST', pattern: '/nodes/{id}/update', handle: update, isForeseen: true },
  { method: 'DELETE', pattern: '/nodes/{id}', handle: remove },
];

async function list(api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  const filters = filtersOf(exchange, ['name', 'id', 'label', 'node.label', 'role', 'membership']);
  filters.checkOneOf('role', ['worker', 'manager']);
  filters.checkOneOf('membership', ['accepted', 'pending']);
  const view = await manager.read();
  const found: Record<string, unknown>[] = [];
  for (const node of view.list('Node')) {
    const hostname = node.Description?.Hostname ?? '';
    if (!filters.matchesPrefix('name', node.Spec?.Name || hostname) && !filters.matchesPrefix('name', hostname))
      continue;
    if (!filters.matchesPrefix('id', node.ID) || !filters.matches('role', node.Spec?.Role ?? '')) continue;
    if (!filters.matchesLabels('label', node.Description?.Engine?.Labels ?? {})) continue;
    if (!filters.matchesLabels('node.label', node.Spec?.Labels ?? {})) continue;
    if (!filters.matches('membership', 'accepted')) continue; // a node has its certificate or is not in the store
    found.push(shown(manager, node));
  }
  answerJSON(exchange, 200, found);
}

async function inspect(api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  answerJSON(exchange, 200, shown(manager, find(await manager.read(), 'Node', exchange.params.id!)));
}

/** A node with its place among the managers, which is Raft's to know. */
function shown(manager: ManagerBackend, node: Node): Record<string, unknown> {
  const status = manager.managers().get(node.ID);
  const ManagerStatus =
    status === undefined
      ? null
      : {
          Leader: status.leader,
          Reachability: status.reachable ? 'reachable' : 'unreachable',
          Addr: status.address,
        };
  return toJSON('Node', { ...node, ManagerStatus });
}

async function update(api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  const body = await readJSON(api, exchange);
  const spec = fromJSON('NodeSpec', body, 'Spec');
  const version = versionParameter(exchange, 'node');
  validateNodeSpec(spec);
  const node = find(await manager.read(), 'Node', exchange.params.id!);
  if (node.Version?.Index !== version) throw outOfSequence();
  manager.checkRoleChange(node, spec.Role);
  const after = complete('Node', { ...node, Spec: spec });
  const operation: OperationInit = { Action: 'update', ID: node.ID, ExpectedVersion: version, Node: after };
  if (isDryRun(exchange)) {
    return answerDryRun(api, exchange, manager, [operation], specChanges('NodeSpec', node.Spec, spec));
  }
  await propose(api, manager, [operation]);
  answerEmpty(exchange, 200);
}

async function remove(api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  const node = find(await manager.read(), 'Node', exchange.params.id!);
  await manager.removeNode(node, flag(exchange, 'force'));
  answerEmpty(exchange, 200);
}
