import { ShoalError } from '../model/errors.js';
import type { Network } from '../model/types.js';
import { networksOf } from '../store/networks.js';
import type { View } from '../store/view.js';
import { networkLabel } from '../worker/networks/labels.js';
import { openRequest, responseOf } from './engine.js';
import { type Api, answerJSON, type Exchange } from './exchange.js';
import { type Filters, filtersOf } from './filters.js';
import { engineTarget } from './passthrough.js';
import { propose } from './transaction.js';

/** Removes what nothing uses, here and in the cluster; the bridges of the cluster's networks are left to the agent. */
export async function prune(api: Api, exchange: Exchange): Promise<void> {
  const filters = filtersOf(exchange, ['until', 'label', 'label!']);
  const deleted = await pruneEngine(api, exchange, filters);
  const manager = api.backend.manager();
  if (manager !== undefined) {
    const view = await manager.read();
    for (const network of view.list('Network')) {
      if (isUsed(network, view) || !isPrunable(network, filters, api.clock.now())) continue;
      try {
        await propose(api, manager, [{ Action: 'remove', Kind: 'Network', ID: network.ID }]);
        deleted.push(network.Spec?.Name ?? network.ID);
      } catch (error) {
        api.log.info('a network was not pruned', { network: network.ID, error: String(error) });
      }
    }
  }
  answerJSON(exchange, 200, { NetworksDeleted: deleted.length === 0 ? null : deleted });
}

function isPrunable({ Spec, CreatedAt }: Network, filters: Filters, now: number): boolean {
  const labels = Spec?.Labels ?? {};
  if (!filters.matchesLabels('label', labels)) return false;
  if (filters.get('label!').some((unwanted) => hasLabel(labels, unwanted))) return false;
  const [until] = filters.get('until');
  return until === undefined || Date.parse(CreatedAt) < instantOf(until, now);
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const [key = '', value] = wanted.split(/=(.*)/s);
  return Object.hasOwn(labels, key) && (value === undefined || labels[key] === value);
}

/** A duration before now, seconds since 1970, or a date. */
function instantOf(text: string, now: number): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const units = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  if (parts.length > 0 && parts.map(([part]) => part).join('') === text) {
    return now - parts.reduce((sum, [, count, unit]) => sum + Number(count) * units[unit as keyof typeof units], 0);
  }
  const at = Date.parse(text);
  if (Number.isNaN(at))
    throw new ShoalError('invalid-argument', `until: ${text.slice(0, 100)} is no time and no duration`);
  return at;
}

async function pruneEngine(api: Api, exchange: Exchange, filters: Filters): Promise<string[]> {
  const { own } = api.engines;
  const passed: Record<string, readonly string[]> = { 'label!': [...filters.get('label!'), networkLabel] };
  for (const name of ['until', 'label']) if (filters.has(name)) passed[name] = filters.get(name);
  const target = await engineTarget(exchange, own.version);
  const path = `${target.split('?', 1)[0]}?filters=${encodeURIComponent(JSON.stringify(passed))}`;
  const request = await openRequest(own.connect, { method: 'POST', path, headers: { 'Content-Length': 0 } });
  request.end();
  const response = await responseOf(request);
  let text = '';
  for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString('utf8');
  const body = JSON.parse(text || '{}') as { NetworksDeleted?: string[] | null; message?: string };
  if (response.statusCode !== 200) throw new ShoalError('unavailable', body.message ?? 'the engine did not prune');
  return body.NetworksDeleted ?? [];
}

/** Whether a service or a task names the network. */
export function isUsed({ ID }: Network, view: View): boolean {
  for (const service of view.list('Service')) if (networksOf(service).includes(ID)) return true;
  for (const task of view.list('Task'))
    if (task.NetworksAttachments.some(({ Network }) => Network?.ID === ID)) return true;
  return false;
}
