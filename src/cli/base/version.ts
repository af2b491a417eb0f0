import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../model/paths.js';

/** The version of this program, as its package says. */
export function shoalVersion(): string {
  const packaged = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  return packaged.version;
}
