import type { Context } from '../base/context.js';
import { CliError } from '../base/errors.js';
import { filtersQuery } from '../base/filter.js';
import type { Config, ConfigReference, Secret, SecretReference } from '../base/wire.js';
import { splitPairs } from './words.js';

/** A secret or config that a container gets as a file, by name. */
export interface FileReference {
  source: string;
  target: string;
  uid: string;
  gid: string;
  mode: number;
}

const readableByAll = 0o444;

/** One `--secret` or `--config`: a name, or `source=name,target=file,uid=0,gid=0,mode=0440`. Throws with the field that is wrong. */
export function parseReference(kind: 'secret' | 'config'): (text: string) => FileReference {
  return (text) => {
    const pairs = splitPairs(text);
    const reference: FileReference = { source: '', target: '', uid: '0', gid: '0', mode: readableByAll };
    if (pairs.length === 1 && pairs[0]!.value === undefined) reference.source = text;
    else for (const { key, value, field } of pairs) setField(kind, reference, key, value, field);
    if (reference.source === '') throw new Error('source is required');
    if (reference.target === '') reference.target = reference.source;
    return reference;
  };
}

function setField(kind: string, reference: FileReference, key: string, value: string | undefined, field: string): void {
  if (value === undefined) throw new Error(`invalid field '${field}' must be a key=value pair`);
  if (key === 'source' || key === 'src') reference.source = value;
  else if (key === 'target') reference.target = value;
  else if (key === 'uid') reference.uid = value;
  else if (key === 'gid') reference.gid = value;
  else if (key === 'mode') reference.mode = parseMode(value);
  else throw new Error(`invalid field in ${kind} request: ${key}`);
}

/** A file mode as Go reads a number: octal with a leading 0, decimal without. */
function parseMode(word: string): number {
  const octal = /^0[oO]?([0-7]{1,10})$/.exec(word);
  if (octal !== null) return Number.parseInt(octal[1]!, 8);
  if (word === '0' || /^[1-9]\d{0,9}$/.test(word)) return Number(word);
  throw new Error(`invalid mode specified: ${word}; use octal digits such as 0440`);
}

/** The secrets named, with the ids they have now. Throws for one that does not exist, and for two with one file. */
export async function resolveSecrets(context: Context, wanted: readonly FileReference[]): Promise<SecretReference[]> {
  const ids = await idsOf(context, 'secret', wanted);
  return wanted.map((each) => ({ File: fileOf(each), SecretID: ids.get(each.source)!, SecretName: each.source }));
}

/** The configs named, likewise. */
export async function resolveConfigs(context: Context, wanted: readonly FileReference[]): Promise<ConfigReference[]> {
  const ids = await idsOf(context, 'config', wanted);
  return wanted.map((each) => ({ File: fileOf(each), ConfigID: ids.get(each.source)!, ConfigName: each.source }));
}

/** The id of a config by its name. */
export async function configID(context: Context, name: string): Promise<string> {
  const [resolved] = await resolveConfigs(context, [parseReference('config')(name)]);
  return resolved?.ConfigID ?? '';
}

function fileOf({ target, uid, gid, mode }: FileReference) {
  return { Name: target, UID: uid, GID: gid, Mode: mode };
}

async function idsOf(
  context: Context,
  kind: 'secret' | 'config',
  wanted: readonly FileReference[],
): Promise<Map<string, string>> {
  if (wanted.length === 0) return new Map();
  const targets = new Set<string>();
  for (const { source, target } of wanted) {
    if (targets.has(target)) throw new CliError(`duplicate ${kind} target for ${source} not allowed`);
    targets.add(target);
  }
  const filters = filtersQuery(wanted.map(({ source }) => ['name', source]));
  const found = await context.client.get<(Secret | Config)[]>(`/${kind}s`, { query: { filters } });
  // The filter matches prefixes; only the very name will do.
  const ids = new Map(found.map((each) => [each.Spec?.Name ?? '', each.ID ?? '']));
  for (const { source } of wanted) if (!ids.has(source)) throw new CliError(`${kind} not found: ${source}`);
  return ids;
}
