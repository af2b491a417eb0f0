import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/model/paths.js';

interface Locked {
  version: string;
  resolved?: string;
  integrity?: string;
  hasInstallScript?: boolean;
  dev?: boolean;
}

const read = (path: string) => readFileSync(join(packageRoot(), path), 'utf8');

function isAtLeast(version: string, least: string): boolean {
  const [is, must] = [version, least].map((text) => text.split('.').map(Number)) as [number[], number[]];
  const at = must.findIndex((part, index) => part !== is[index]);
  return at < 0 || is[at]! > must[at]!;
}

// docs/decisions/0025-supply-chain.md is what a reader is told; this is whether it is so.
describe('the packages', () => {
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };
  const packages = Object.entries(lock.packages)
    .filter(([path]) => path !== '')
    .map(([path, locked]) => ({ name: path.slice(path.lastIndexOf('node_modules/') + 13), ...locked }));
  const decision = read('docs/decisions/0025-supply-chain.md');

  it('are pinned by their content, and come from the registry alone', () => {
    for (const { name, integrity = '', resolved } of packages) {
      assert.match(integrity, /^sha512-/, name);
      if (resolved !== undefined) assert.match(resolved, /^https:\/\/registry\.npmjs\.org\//, name); // absent: the default
    }
  });

  it('have no install script beyond those that are known, and none of those is needed', () => {
    const scripts = packages.filter(({ hasInstallScript }) => hasInstallScript).map(({ name }) => name);
    assert.deepEqual(scripts.sort(), ['cpu-features', 'esbuild', 'protobufjs', 'ssh2']);
    for (const name of scripts) assert.match(decision, new RegExp(`^\\| .*\\b${name}\\b`, 'm'));
  });

  it('are newer than what is known against them', () => {
    const rows = decision.matchAll(/^\| (\S*) ?\| (\S*) ?\| [^|]+ \| ([\d.]+|not mended) \|$/gm);
    let [name, here] = ['', ''];
    let checked = 0;
    for (const [, first = '', second = '', mended = ''] of rows) {
      [name, here] = first === '' ? [name, here] : [first, second];
      const found = packages.filter((one) => one.name === name);
      assert.ok(found.length > 0, `${name}: there is no such package any more`);
      for (const { version } of found) {
        assert.equal(version, here, `${name}: the decision tells of another version`);
        assert.ok(mended === 'not mended' || isAtLeast(version, mended), `${name} ${version} is older than ${mended}`);
        checked += 1;
      }
    }
    assert.ok(checked >= 11, `${checked} rows`);
  });
});
