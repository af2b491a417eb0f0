import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { packageRoot } from '../../src/model/paths.js';

// What can be checked of how we build is checked here (docs/architecture.md, "Layout").

const root = packageRoot();
const src = join(root, 'src');

/** Whom each folder of src/ may import from, besides itself. */
const mayImport: Record<string, readonly string[]> = {
  model: [],
  template: ['model'],
  raft: ['model'],
  store: ['model', 'raft'], // the store is the state machine that Raft's interface asks for
  scheduler: ['model'],
  network: ['model', 'store'],
  security: ['model'],
  manager: ['model', 'template', 'raft', 'store', 'scheduler', 'network', 'security'],
  worker: ['model', 'template', 'network', 'security'],
  api: ['model', 'template', 'store', 'manager', 'worker'],
  daemon: ['model', 'template', 'raft', 'store', 'scheduler', 'network', 'security', 'manager', 'worker', 'api'],
  lab: ['model'],
  cli: ['model', 'template', 'daemon', 'lab'],
};

function sourcesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.startsWith('generated') && !name.includes('/generated/'))
    .map((name) => join(folder, name));
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map((match) => resolve(file, '..', match[1] as string));
}

const folderOf = (path: string) => relative(src, path).split('/')[0] as string;

describe('the house', () => {
  const files = sourcesBelow(src);

  it('has only folders that the layout knows', () => {
    const unknown = new Set(files.map(folderOf).filter((folder) => mayImport[folder] === undefined));
    assert.deepEqual([...unknown], []);
  });

  it('imports one way', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter(
          (target) => folderOf(target) !== folderOf(file) && !mayImport[folderOf(file)]?.includes(folderOf(target)),
        )
        .map((target) => `${relative(root, file)} imports ${relative(root, target)}`),
    );
    assert.deepEqual(wrong, []);
  });

  it('keeps time, chance and I/O out of the pure parts', () => {
    const pure = ['src/scheduler/', 'src/raft/core/', 'src/manager/reconcile/'];
    const reached =
      /Date\.now|new Date\(\)|Math\.random|setTimeout|setInterval|performance\.now|from 'node:(fs|net|http|child_process|crypto)/;
    const wrong = files.filter(
      (file) =>
        pure.some((folder) => relative(root, file).startsWith(folder)) && reached.test(readFileSync(file, 'utf8')),
    );
    assert.deepEqual(
      wrong.map((file) => relative(root, file)),
      [],
    );
  });

  it('leaves no note for later in the sources', () => {
    const wrong = files.filter((file) => /\b(TODO|FIXME|XXX|HACK)\b|not implemented/i.test(readFileSync(file, 'utf8')));
    assert.deepEqual(
      wrong.map((file) => relative(root, file)),
      [],
    );
  });

  it('has no source that nothing imports', () => {
    const everywhere = [...files, ...['test', 'bench', 'deploy'].flatMap((folder) => sourcesBelow(join(root, folder)))];
    const imported = new Set(everywhere.flatMap(importsOf).map((path) => path.replace(/\.js$/, '.ts')));
    const programs = ['src/cli/main.ts', 'src/lab/load.ts', 'src/lab/ask.ts']; // started by path, not imported
    const dead = files.filter((file) => !imported.has(file)).map((file) => relative(root, file));
    assert.deepEqual(
      dead.filter((file) => !programs.includes(file)),
      [],
    );
  });
});
