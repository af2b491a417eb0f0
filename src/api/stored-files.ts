import { complete } from '../model/codec.js';
import { ShoalError } from '../model/errors.js';
import { newID } from '../model/ids.js';
import { fromJSON, toJSON } from '../model/json.js';
import type { Config, Secret } from '../model/types.js';
import { checkObjectLabels } from '../model/validate/names.js';
import { validateConfigSpec, validateSecretSpec } from '../model/validate/objects.js';
import { type Api, answerEmpty, answerJSON, type Exchange, managerOf, readJSON, versionParameter } from './exchange.js';
import { filtersOf } from './filters.js';
import { find } from './lookup.js';
import type { Route } from './router.js';
import { outOfSequence, propose } from './transaction.js';

type Kind = 'Secret' | 'Config';

/** Secrets and configs are the same thing but for what is shown of them: the endpoints of one kind. */
export function storedFileRoutes(kind: Kind): readonly Route[] {
  const base = `/${kind.toLowerCase()}s`;
  return [
    { method: 'GET', pattern: base, handle: (api, exchange) => list(kind, api, exchange) },
    { method: 'POST', pattern: `${base}/create`, handle: (api, exchange) => create(kind, api, exchange) },
    { method: 'GET', pattern: `${base}/{id}`, handle: (api, exchange) => inspect(kind, api, exchange) },
    { method: 'POST', pattern: `${base}/{id}/update`, handle: (api, exchange) => update(kind, api, exchange) },
    { method: 'DELETE', pattern: `${base}/{id}`, handle: (api, exchange) => remove(kind, api, exchange) },
  ];
}

/** The REST body. What a secret holds is never shown to anybody. */
function shown(kind: Kind, file: Secret | Config): Record<string, unknown> {
  if (kind === 'Config') return toJSON('Config', file as Config);
  const secret = file as Secret;
  return toJSON('Secret', { ...secret, Spec: secret.Spec && { ...secret.Spec, Data: Buffer.alloc(0) } });
}

async function list(kind: Kind, api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  const filters = filtersOf(exchange, ['name', 'names', 'id', 'label']);
  const view = await manager.read();
  const found: Record<string, unknown>[] = [];
  for (const file of view.list(kind)) {
    const name = file.Spec?.Name ?? '';
    if (!filters.matchesPrefix('name', name) || !filters.matches('names', name)) continue;
    if (!filters.matchesPrefix('id', file.ID) || !filters.matchesLabels('label', file.Spec?.Labels ?? {})) continue;
    found.push(shown(kind, file));
  }
  answerJSON(exchange, 200, found);
}

async function inspect(kind: Kind, api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  answerJSON(exchange, 200, shown(kind, find(await manager.read(), kind, exchange.params.id!)));
}

async function create(kind: Kind, api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  const body = await readJSON(api, exchange);
  const ID = newID(api.random);
  if (kind === 'Secret') {
    const spec = fromJSON('SecretSpec', body, 'Spec');
    validateSecretSpec(spec);
    await propose(api, manager, [{ Action: 'create', ID, Secret: { ID, Spec: spec } }]);
  } else {
    const spec = fromJSON('ConfigSpec', body, 'Spec');
    validateConfigSpec(spec);
    await propose(api, manager, [{ Action: 'create', ID, Config: { ID, Spec: spec } }]);
  }
  answerJSON(exchange, 201, { ID });
}

async function update(kind: Kind, api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  const body = await readJSON(api, exchange);
  const version = versionParameter(exchange, kind.toLowerCase());
  const spec = kind === 'Secret' ? fromJSON('SecretSpec', body, 'Spec') : fromJSON('ConfigSpec', body, 'Spec');
  checkObjectLabels('Spec', spec.Labels);
  const file = find(await manager.read(), kind, exchange.params.id!);
  if (file.Version?.Index !== version) throw outOfSequence();
  const isSameData =
    spec.Data.length === 0 || Buffer.from(spec.Data as Uint8Array).equals(Buffer.from(file.Spec!.Data as Uint8Array));
  if (spec.Name !== file.Spec?.Name || !isSameData) {
    throw new ShoalError(
      'invalid-argument',
      'rpc error: code = InvalidArgument desc = only updates to Labels are allowed',
    );
  }
  const changed = complete(kind, { ...file, Spec: { ...file.Spec, Labels: spec.Labels } });
  await propose(api, manager, [{ Action: 'update', ID: file.ID, ExpectedVersion: version, [kind]: changed }]);
  answerEmpty(exchange, 200);
}

/** A file that a service uses is refused by the store, as the removal is applied. */
async function remove(kind: Kind, api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  const file = find(await manager.read(), kind, exchange.params.id!);
  await propose(api, manager, [{ Action: 'remove', Kind: kind, ID: file.ID }]);
  answerEmpty(exchange, 204);
}
