import assert from 'node:assert/strict';
import fc from 'fast-check';
import { renewalTime } from '../../../src/security/admission.js';
import { backdate_ms } from '../../../src/security/authority.js';

const hour_ms = 3600_000;

describe('the renewal of a certificate', () => {
  it('comes between 50 and 80 % of its life, wherever chance puts it', () => {
    const life = fc.integer({ min: hour_ms, max: 10 * 365 * 24 * hour_ms });
    const fraction = fc.double({ min: 0, max: 0.999, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 42 }), life, fraction, (made_ms, life_ms, chance) => {
        const validity = { from_ms: made_ms - backdate_ms, to_ms: made_ms + life_ms };
        const at = (renewalTime(validity, chance) - made_ms) / life_ms;
        assert.ok(at >= 0.5 - 1e-9 && at <= 0.8, `${at}`);
      }),
    );
  });

  it('is spread over that time, so that nodes that joined together do not come together', () => {
    const validity = { from_ms: -backdate_ms, to_ms: 1_000 };
    assert.deepEqual(
      [0, 0.5, 1].map((chance) => Math.round(renewalTime(validity, chance))),
      [500, 650, 800],
    );
  });

  it('is not before a certificate begins whose whole life lies within what it is dated back', () => {
    const validity = { from_ms: 0, to_ms: backdate_ms / 2 };
    assert.ok(renewalTime(validity, 0) >= validity.from_ms && renewalTime(validity, 1) <= validity.to_ms);
  });
});
