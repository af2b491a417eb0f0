import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from '../../src/lab/host.js';
import { scenarios } from '../helpers/beside-swarm/all.js';
import { differences, shapeOf } from '../helpers/beside-swarm/compare.js';
import { commandsOf, usedBy } from '../helpers/beside-swarm/flags.js';
import { knownAs, knownDifferences, untried } from '../helpers/beside-swarm/known.js';
import { parseLine } from '../helpers/beside-swarm/scenario.js';
import { image, type Place, runLine, type Side } from '../helpers/beside-swarm/side.js';
import { docker, labForTests } from '../helpers/lab.js';

const clients = ['/usr/bin/docker', '/usr/local/bin/docker'].filter(existsSync);

/**
 * The same command lines on a cluster of ours and on Docker's own Swarm mode, two hosts each: exit codes, what is printed, and the objects
 * field by field. What differs is in test/helpers/beside-swarm/known.ts with its reason, and nothing there may have ceased to differ.
 */
describe('beside Docker’s own Swarm mode', function () {
  this.timeout(240_000);
  const lab = labForTests(4, {
    engineFlags: [1, 2].map((of) => `--node-generic-resource=gpu=UUID${of}`).concat('--node-generic-resource=ssd=3'),
  });
  const folder = mkdtempSync(join(tmpdir(), 'shoal-beside-'));
  const seen = new Set<string>();
  before(async () => {
    for (const host of lab().hosts) await docker(host, 'engine', 'tag', 'shoal/web:1', image);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const client of clients) {
    describe(client, () => {
      it('every command and every flag of it is tried', async () => {
        const used = usedBy(scenarios);
        const missing: string[] = [];
        for (const [command, flags] of await commandsOf(client)) {
          const tried = used.get(command) ?? new Set();
          if (!used.has(command) && untried[command] === undefined) missing.push(command);
          for (const flag of flags)
            if (!tried.has(flag) && untried[flag] === undefined) missing.push(`${command} ${flag}`);
        }
        assert.deepEqual(missing, []);
      });

      for (const [at, scenario] of scenarios.entries()) {
        it(scenario.name, async () => {
          const directory = join(folder, `${at}`);
          mkdirSync(directory, { recursive: true });
          for (const [name, content] of Object.entries(scenario.files ?? {}))
            writeFileSync(join(directory, name), content);
          const place = (number: number, at: 'engine' | 'cluster'): Place => {
            const host = lab().hosts[number] as Host;
            return {
              name: host.name,
              address: host.address,
              socket: at === 'engine' ? host.engineSocket : host.apiSocket,
            };
          };
          const ours: Side = { client, directory, A: place(0, 'cluster'), B: place(1, 'cluster') };
          const swarm: Side = { client, directory, A: place(2, 'engine'), B: place(3, 'engine') };
          const wrong: string[] = [];
          for (const line of scenario.lines) {
            const [theirs, our] = await Promise.all([runLine(swarm, line), runLine(ours, line)]);
            if (parseLine(line).until !== undefined) continue;
            for (const one of differences(shapeOf(swarm, theirs), shapeOf(ours, our))) {
              const known = knownAs(line, one);
              if (known === undefined) wrong.push(`docker ${line.replace(/\s+/g, ' ')}\n    ${one}`);
              else seen.add(known);
            }
          }
          assert.equal(wrong.join('\n'), '');
        });
      }
    });
  }

  // in a describe of its own, because mocha runs a describe's own tests before those of the describes in it
  describe('and all in all', () => {
    it('what is said to differ does', () => {
      assert.deepEqual(
        knownDifferences.filter(({ what, isRare }) => isRare !== true && !seen.has(what)).map(({ what }) => what),
        [],
      );
    });
  });
});
