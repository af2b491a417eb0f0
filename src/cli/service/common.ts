import type { Query } from '../base/client.js';
import type { Context } from '../base/context.js';
import { pathOf } from '../base/path.js';
import { dryRun } from '../base/preview.js';
import type { Preview, Service, ServiceSpec } from '../base/wire.js';

/** A service by name, id or the start of its id, as its spec was written: defaults are not filled in, so they are not sent back. */
export function getService(context: Context, reference: string): Promise<Service> {
  return context.client.get<Service>(pathOf('services', reference), {
    query: { insertDefaults: false },
  });
}

/** What `postUpdate` would do, without doing it. */
export function previewUpdate(
  context: Context,
  service: Service,
  spec: ServiceSpec,
  query: Query = {},
): Promise<Preview> {
  return context.client.post<Preview>(pathOf('services', service.ID ?? '', 'update'), {
    query: { version: service.Version?.Index, ...query, ...dryRun },
    body: spec,
  });
}

/** Sends a service its next spec, on condition that it is still at the version we saw. Shows the daemon's warnings. */
export async function postUpdate(
  context: Context,
  service: Service,
  spec: ServiceSpec,
  query: Query = {},
  auth?: string,
): Promise<void> {
  const answer = await context.client.post<{ Warnings?: string[] | null } | undefined>(
    pathOf('services', service.ID ?? '', 'update'),
    {
      query: { version: service.Version?.Index, ...query },
      body: spec,
      headers: auth === undefined ? undefined : { 'X-Registry-Auth': auth },
    },
  );
  for (const warning of answer?.Warnings ?? []) context.err.write(`${warning}\n`);
}
