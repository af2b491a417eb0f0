import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitWords } from '../../../src/cli/service/words.js';
import { packageRoot } from '../../../src/model/paths.js';
import { cli } from '../../helpers/cli.js';
import { type FakeDaemon, startFakeDaemon } from '../../helpers/fake-daemon.js';
import { differences, envFile, environment, routes } from './golden/cluster.js';
import { changesSent, stackEnvironment, stackRoutes, stacksFolder } from './golden/stacks.js';
import { rootFiles, swarmChangesSent, swarmRoutes } from './golden/swarm.js';

interface Golden {
  line: string;
  code: number;
  sent?: { query: Record<string, string>; changes: Record<string, unknown> }[];
  error?: string;
}

const folder = join(packageRoot(), 'test', 'unit', 'cli', 'golden');
const [recording = ''] = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
const goldens = readFileSync(join(folder, recording), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Golden);

/** Docker's first words of a mistake; where it only says "no", we say what is allowed too. */
function assertSays(err: string, golden: string): void {
  const [said = ''] = err.split('\n');
  const words = (text: string) => text.replaceAll('docker', 'shoal').replace(/['"`]/g, '').toLowerCase();
  const kept = words(golden)
    .replace(/\.$/, '')
    .replace(/: (strconv\.|invalid syntax|time: |eof).*$/, '');
  assert.ok(words(said).startsWith(kept), `said:   ${said}\ndocker: ${golden}`);
}

/** Help without what Docker does not have: it stands in a paragraph of its own. */
function withoutOwn(help: string): string {
  return help.replace(/\n\nBeyond Docker:(?:\n .*)+/, '');
}

describe('help', () => {
  const text = readFileSync(join(folder, recording.replace('.jsonl', '-help.txt')), 'utf8');
  for (const part of text.split('### ').slice(1)) {
    const [command = '', ...lines] = part.split('\n');
    it(`of ${command} is Docker's`, async () => {
      const daemon = await startFakeDaemon();
      const { code, out } = await cli(daemon, [...command.split(' '), '--help']);
      await daemon.close();
      assert.equal(code, 0);
      assert.equal(
        withoutOwn(out),
        lines.join('\n').replace(/docker (?=config|node|secret|service|stack|swarm)/g, 'shoal '),
      );
    });
  }
});

describe(`stack deploy, held against ${recording.replace('.jsonl', '')}`, () => {
  interface Deployment {
    line: string;
    code: number;
    err: string;
    sent: unknown[];
  }
  const text = readFileSync(join(folder, recording.replace('.jsonl', '-stacks.json')), 'utf8');
  const deployments = JSON.parse(text.replaceAll('/stacks', stacksFolder)) as Deployment[];
  /** What Docker says besides: times of its own, and a warning of what a later version will do. */
  const words = (err: string) =>
    err
      .replace(/time="[^"]*" level=warning msg="(.*)"/g, '$1')
      .replaceAll('\\"', '"')
      .split('\n')
      .filter((line) => line !== '' && !/--detach=false|external\.name is deprecated/.test(line));
  let daemon: FakeDaemon;
  before(async () => {
    daemon = await startFakeDaemon(stackRoutes);
  });
  after(() => daemon.close());

  for (const { line, code, err, sent } of deployments) {
    it(line, async () => {
      daemon.requests.length = 0;
      const args = line.split(' ').map((word) => (word.endsWith('.yml') ? join(stacksFolder, word) : word));
      const result = await cli(daemon, ['stack', 'deploy', ...args], {
        env: { ...environment, ...stackEnvironment },
        folder: stacksFolder,
      });
      assert.equal(result.code, code, result.err);
      if (code === 0) {
        assert.deepEqual(changesSent(daemon), sent);
        assert.deepEqual(words(result.err), words(err));
      } else {
        assert.deepEqual(changesSent(daemon), [], 'a stack that is wrong is refused before anything is made');
        const said = words(result.err).at(-1) ?? '';
        const golden = words(err).at(-1) ?? '';
        const mine = /^(yaml: line \d+|services\.web\.ports\.0|.*memory)/.exec(said)?.[0];
        assert.ok(
          said === golden || (mine !== undefined && /yaml|ports|memory/.test(golden)),
          `said:   ${said}\ndocker: ${golden}`,
        );
      }
    });
  }
});

describe(`service commands, held against ${recording.replace('.jsonl', '')}`, () => {
  let daemon: FakeDaemon;
  before(async () => {
    daemon = await startFakeDaemon(routes);
  });
  after(() => daemon.close());

  for (const golden of goldens) {
    it(`service ${golden.line}`, async () => {
      daemon.requests.length = 0;
      const result = await cli(daemon, ['service', ...splitWords(golden.line)], {
        env: environment,
        files: { [envFile.path]: envFile.content },
      });
      assert.equal(result.code, golden.code, result.err);
      if (golden.error !== undefined) {
        assertSays(result.err, golden.error);
        return;
      }
      const reference = golden.line.split(' ').at(-1) ?? '';
      const sent = daemon.requests
        .filter(({ method, path }) => method === 'POST' && path.startsWith('/services/'))
        .map(({ path, query, body }) => {
          const before = path.endsWith('/create')
            ? {}
            : (routes[`GET /services/${reference}`] as { Spec?: object })?.Spec;
          return { query, changes: differences(before ?? {}, body) };
        });
      assert.deepEqual(sent, golden.sent);
    });
  }
});

describe(`swarm commands, held against ${recording.replace('.jsonl', '')}`, () => {
  const text = readFileSync(join(folder, recording.replace('.jsonl', '-swarm.json')), 'utf8');
  const changes = JSON.parse(text) as { line: string; code: number; sent?: unknown[]; error?: string }[];
  let daemon: FakeDaemon;
  before(async () => {
    daemon = await startFakeDaemon(swarmRoutes);
  });
  after(() => daemon.close());

  for (const golden of changes) {
    it(`swarm ${golden.line}`, async () => {
      daemon.requests.length = 0;
      const result = await cli(daemon, ['swarm', ...splitWords(golden.line)], { files: rootFiles });
      assert.equal(result.code, golden.code, result.err);
      if (golden.error !== undefined) assertSays(result.err, golden.error);
      else assert.deepEqual(swarmChangesSent(daemon.requests), golden.sent);
    });
  }
});
