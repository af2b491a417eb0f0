// Makes engine-api-v1.47.json of the Docker Engine API's own description (https://docs.docker.com/reference/api/engine/version/v1.47.yaml,
// Apache-2.0): what concerns a cluster, without the prose.   npx tsx test/data/engine-api/extract.ts engine-api-v1.47.yaml
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

type Tree = { [key: string]: unknown };
const { paths, definitions } = parse(readFileSync(process.argv[2] ?? '', 'utf8')) as { paths: Tree; definitions: Tree };
const prose = new Set(['description', 'summary', 'example', 'examples', 'title', 'tags', 'operationId', 'x-go-name']);

function bare(value: unknown, isMap = false): unknown {
  if (Array.isArray(value)) return value.map((one) => bare(one));
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => isMap || !prose.has(key));
  return Object.fromEntries(kept.map(([key, one]) => [key, bare(one, key === 'properties' && !isMap)]));
}

const kept: { paths: Tree; definitions: Tree } = { paths: {}, definitions: {} };
for (const [path, methods] of Object.entries(paths)) {
  if (/^\/(swarm|nodes|services|tasks|secrets|configs|networks)/.test(path)) kept.paths[path] = bare(methods);
}
for (let wanted = [...JSON.stringify(kept.paths).matchAll(/#\/definitions\/(\w+)/g)]; wanted.length > 0; ) {
  const fresh = new Set(wanted.map(([, name]) => name as string).filter((name) => !(name in kept.definitions)));
  for (const name of fresh) kept.definitions[name] = bare(definitions[name]);
  wanted = [...fresh].flatMap((name) => [...JSON.stringify(kept.definitions[name]).matchAll(/#\/definitions\/(\w+)/g)]);
}
writeFileSync(join(import.meta.dirname, 'engine-api-v1.47.json'), `${JSON.stringify(kept, undefined, 1)}\n`);
