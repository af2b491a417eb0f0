import { resolve } from 'node:path';
import type { Context } from '../base/context.js';
import { CliError } from '../base/errors.js';
import type { ConfigReference, SecretReference } from '../base/wire.js';
import { resolveConfigs, resolveSecrets, type FileReference as Wanted } from '../service/references.js';
import { type Project, readNamed } from './compose/load.js';
import type { ComposeService, FileReference } from './compose/schema.js';
import { isExternal, nameOf, stackLabels } from './names.js';

export type FileKind = 'secret' | 'config';

/** Body of POST /secrets/create and /configs/create. */
export interface FileSpec {
  Name: string;
  Labels: Record<string, string>;
  Data?: string;
  Driver?: { Name: string; Options?: Record<string, string> };
  Templating?: { Name: string };
}

const readableByAll = 0o444;

/** The secrets or configs that a stack brings along, with what is in their files. */
export async function filesOf(context: Context, stack: string, project: Project, kind: FileKind): Promise<FileSpec[]> {
  const found: FileSpec[] = [];
  for (const [key, declared] of project[`${kind}s`]) {
    if (isExternal(declared)) continue;
    const { file, driver, driver_opts, template_driver } = declared;
    const spec: FileSpec = { Name: nameOf(stack, key, declared), Labels: stackLabels(stack, declared.labels) };
    if (driver) {
      spec.Driver = { Name: driver, ...(driver_opts ? { Options: Object.fromEntries(driver_opts) } : {}) };
    } else {
      if (!file) throw new CliError(`${kind}s.${key} must have a file, or be external`);
      spec.Data = (await readNamed(context, resolve(project.directory, file))).toString('base64');
    }
    if (template_driver) spec.Templating = { Name: template_driver };
    found.push(spec);
  }
  return found;
}

/** What a service's references mean in the cluster, by name. Throws for one that the stack does not declare. */
export function wantedFiles(
  stack: string,
  project: Project,
  name: string,
  kind: FileKind,
  references: readonly FileReference[] = [],
): Wanted[] {
  const wanted = references.map(({ source, target, uid = '0', gid = '0', mode = readableByAll }): Wanted => {
    const declared = project[`${kind}s`].get(source);
    if (declared === undefined) throw new CliError(`service ${name}: undefined ${kind} ${JSON.stringify(source)}`);
    return { source: nameOf(stack, source, declared), target: target || source, uid, gid, mode };
  });
  return wanted.sort((a, b) => (a.source < b.source ? -1 : 1));
}

export async function secretReferences(
  context: Context,
  stack: string,
  project: Project,
  [name, service]: readonly [string, ComposeService],
): Promise<SecretReference[]> {
  return resolveSecrets(context, wantedFiles(stack, project, name, 'secret', service.secrets));
}

/** The configs of a service as files, and the one that its runtime reads (`credential_spec`). */
export async function configReferences(
  context: Context,
  stack: string,
  project: Project,
  [name, service]: readonly [string, ComposeService],
): Promise<ConfigReference[]> {
  const references = await resolveConfigs(context, wantedFiles(stack, project, name, 'config', service.configs));
  const source = service.credential_spec?.config;
  if (!source) return references;
  const [forRuntime] = await resolveConfigs(context, wantedFiles(stack, project, name, 'config', [{ source }]));
  return [...references, { Runtime: {}, ConfigID: forRuntime!.ConfigID, ConfigName: forRuntime!.ConfigName }];
}
