import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../src/model/paths.js';
import { ApiFixture } from '../../helpers/api-fixture.js';
import { compatibilityPage, refusals } from '../../helpers/compatibility.js';

describe('docs/compatibility.md', () => {
  let api: ApiFixture;
  before(async () => {
    api = await new ApiFixture().start();
    api.backend.found();
  });
  after(() => api.stop());

  it('is what its table makes', () => {
    const page = readFileSync(join(packageRoot(), 'docs', 'compatibility.md'), 'utf8');
    assert.equal(page, compatibilityPage(), 'npx tsx test/helpers/compatibility.ts > docs/compatibility.md');
  });

  for (const { what, path, body, status, says } of refusals) {
    it(`says truly that this is refused: ${what}`, async () => {
      const answer = await api.call('POST', path, body);
      assert.equal(answer.status, status, answer.text);
      assert.match(answer.body.message, says);
    });
  }
});
