import { systemClock } from '../../src/model/clock.js';
import { DockerEngine } from '../../src/worker/docker-engine.js';
import { engineContract } from '../helpers/engine-contract.js';
import { labForTests } from '../helpers/lab.js';

describe('Docker Engine', () => {
  const lab = labForTests(1, { daemonFlags: undefined });
  let engine: DockerEngine | undefined;
  engineContract(() => {
    engine ??= new DockerEngine(`unix://${lab().hosts[0]?.engineSocket}`, systemClock);
    return { engine, image: 'shoal/web:1', address: lab().hosts[0]?.address as string };
  });
});
