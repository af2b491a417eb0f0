// `npm run bench NAME [-- flags]`: one module a benchmark, each with a `run(args)`; what was measured is in bench/README.md.
const benches: Record<string, () => Promise<{ run(args: string[]): Promise<void> }>> = {
  api: () => import('./api.js'),
  converge: () => import('./converge.js'),
  dns: () => import('./dns.js'),
  fleet: () => import('./fleet.js'),
  lb: () => import('./lb.js'),
  'lb-loopback': () => import('./lb-loopback.js'),
  'lb-update': () => import('./lb-update.js'),
  place: () => import('./place.js'),
  raft: () => import('./raft.js'),
  'raft-snapshot': () => import('./raft-snapshot.js'),
};

const [name = '', ...args] = process.argv.slice(2);
const load = benches[name];
if (load === undefined) {
  console.error(`npm run bench NAME: ${JSON.stringify(name)} is none of ${Object.keys(benches).join(', ')}`);
  process.exitCode = 1;
} else {
  await (await load()).run(args);
}
