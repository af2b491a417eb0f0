import { systemClock } from '../../../src/model/clock.js';
import { engineContract } from '../../helpers/engine-contract.js';
import { SimulatedEngine } from '../../helpers/simulated-engine.js';

describe('simulated engine', () => {
  const engine = new SimulatedEngine(systemClock, ['web']);
  engineContract(() => ({ engine, image: 'web', address: '10.0.0.1' }));
});
