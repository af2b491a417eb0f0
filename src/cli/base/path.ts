import { CliError } from './errors.js';

/**
 * The API's path of one object, and of something of it: `/services/web`, `/services/web/logs`. Throws `CliError` for what can
 * be no name or id: a path of it would be another object's, or the whole collection's.
 */
export function pathOf(collection: string, reference: string, part?: string): string {
  if (reference.trim() === '' || reference === '.' || reference === '..') {
    const what = reference.trim() === '' ? 'value is empty' : JSON.stringify(reference);
    throw new CliError(`invalid ${collection.replace(/s$/, '')} name or ID: ${what}`);
  }
  return `/${collection}/${encodeURIComponent(reference)}${part === undefined ? '' : `/${part}`}`;
}
