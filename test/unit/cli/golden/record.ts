// Records what Docker's own client sends and says for every command line in cases.txt, and the help of every command that we have:
//   npx tsx test/unit/cli/golden/record.ts
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitWords } from '../../../../src/cli/service/words.js';
import { packageRoot } from '../../../../src/model/paths.js';
import { startFakeDaemon } from '../../../helpers/fake-daemon.js';
import { commands, differences, envFile, environment, routes } from './cluster.js';

const folder = join(packageRoot(), 'test', 'unit', 'cli', 'golden');
const daemon = await startFakeDaemon(routes);
const lines: string[] = [];
writeFileSync(envFile.path, envFile.content);
for (const line of readFileSync(join(folder, 'cases.txt'), 'utf8').split('\n')) {
  if (line === '' || line.startsWith('#')) continue;
  daemon.requests.length = 0;
  const docker = spawn('docker', ['-H', daemon.host, 'service', ...splitWords(line)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  let err = '';
  docker.stdout.resume();
  docker.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const code = await new Promise((resolve) => docker.on('close', resolve));
  const sent = daemon.requests
    .filter(({ method, path }) => method === 'POST' && path.startsWith('/services/'))
    .map(({ path, query, body }) => {
      const reference = line.split(' ').at(-1) ?? '';
      const before = path.endsWith('/create') ? {} : (routes[`GET /services/${reference}`] as { Spec?: object })?.Spec;
      return { query, changes: differences(before ?? {}, body) };
    });
  lines.push(JSON.stringify({ line, code, ...(code === 0 ? { sent } : { error: err.split('\n')[0]?.trim() }) }));
}
const version = /\d+\.\d+\.\d+/.exec(execFileSync('docker', ['--version'], { encoding: 'utf8' }))?.[0];
writeFileSync(join(folder, `docker-${version}.jsonl`), `${lines.join('\n')}\n`);
rmSync(envFile.path);
await daemon.close();

const help = commands.map((command) => {
  const text = execFileSync('docker', [...command.split(' '), '--help'], { encoding: 'utf8' });
  return `### ${command}\n${text}`;
});
writeFileSync(join(folder, `docker-${version}-help.txt`), help.join(''));
