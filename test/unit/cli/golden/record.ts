// Records what Docker's own client sends and says for every command line in cases.txt, and the help of every command that we have:
//   npx tsx test/unit/cli/golden/record.ts
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitWords } from '../../../../src/cli/service/words.js';
import { packageRoot } from '../../../../src/model/paths.js';
import { startFakeDaemon } from '../../../helpers/fake-daemon.js';
import { commands, differences, envFile, environment, routes } from './cluster.js';
import { changesSent, stackEnvironment, stackLines, stackRoutes, stacksFolder } from './stacks.js';
import { rootFiles, swarmChangesSent, swarmLines, swarmRoutes } from './swarm.js';

const folder = join(packageRoot(), 'test', 'unit', 'cli', 'golden');
const version = /\d+\.\d+\.\d+/.exec(execFileSync('docker', ['--version'], { encoding: 'utf8' }))?.[0];
const daemon = await startFakeDaemon(routes);
const lines: string[] = [];

/** Runs Docker's client and gives its exit code and what it said on standard error. */
async function docker(host: string, args: readonly string[], cwd: string): Promise<{ code: unknown; err: string }> {
  const child = spawn('docker', ['-H', host, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment, ...stackEnvironment },
    cwd,
  });
  let err = '';
  child.stdout.resume();
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  return { code: await new Promise((resolve) => child.on('close', resolve)), err };
}

writeFileSync(envFile.path, envFile.content);
for (const line of readFileSync(join(folder, 'cases.txt'), 'utf8').split('\n')) {
  if (line === '' || line.startsWith('#')) continue;
  daemon.requests.length = 0;
  const { code, err } = await docker(daemon.host, ['service', ...splitWords(line)], folder);
  const sent = daemon.requests
    .filter(({ method, path }) => method === 'POST' && path.startsWith('/services/'))
    .map(({ path, query, body }) => {
      const reference = line.split(' ').at(-1) ?? '';
      const before = path.endsWith('/create') ? {} : (routes[`GET /services/${reference}`] as { Spec?: object })?.Spec;
      return { query, changes: differences(before ?? {}, body) };
    });
  lines.push(JSON.stringify({ line, code, ...(code === 0 ? { sent } : { error: err.split('\n')[0]?.trim() }) }));
}
writeFileSync(join(folder, `docker-${version}.jsonl`), `${lines.join('\n')}\n`);
rmSync(envFile.path);
await daemon.close();

const help = commands.map((command) => {
  const text = execFileSync('docker', [...command.split(' '), '--help'], { encoding: 'utf8' });
  return `### ${command}\n${text}`;
});
writeFileSync(join(folder, `docker-${version}-help.txt`), help.join(''));

const swarm = await startFakeDaemon(stackRoutes);
const deployments: object[] = [];
for (const line of stackLines()) {
  swarm.requests.length = 0;
  const { code, err } = await docker(swarm.host, ['stack', 'deploy', ...line.split(' ')], stacksFolder);
  deployments.push({ line, code, err: err.trim(), sent: changesSent(swarm) });
}
await swarm.close();
const text = JSON.stringify(deployments, undefined, 1).replaceAll(stacksFolder, '/stacks');
writeFileSync(join(folder, `docker-${version}-stacks.json`), `${text}\n`);

const manager = await startFakeDaemon(swarmRoutes);
for (const [path, content] of Object.entries(rootFiles)) writeFileSync(path, content);
const changes: object[] = [];
for (const line of swarmLines) {
  manager.requests.length = 0;
  const { code, err } = await docker(manager.host, ['swarm', ...splitWords(line)], folder);
  const [error = ''] = err.split('\n');
  changes.push({
    line,
    code,
    ...(code === 0 ? { sent: swarmChangesSent(manager.requests) } : { error: error.trim() }),
  });
}
for (const path of Object.keys(rootFiles)) rmSync(path);
await manager.close();
writeFileSync(join(folder, `docker-${version}-swarm.json`), `${JSON.stringify(changes, undefined, 1)}\n`);
