// The data planes' contract on the kernel's, in a network namespace of its own: test/integration/kernel-plane.test.ts runs it there.
import { createLogger } from 'winston';
import { systemClock } from '../../src/model/clock.js';
import { KernelNetworks } from '../../src/network/kernel/kernel-networks.js';
import { KernelPlane } from '../../src/network/kernel/kernel-plane.js';
import { systemTools } from '../../src/network/kernel/tools.js';
import { UserSpacePlane } from '../../src/network/user-space/plane.js';
import { dataPlaneContract } from './data-plane-contract.js';

const log = createLogger({ silent: true });
const [asked, servers] = ['10.77.0.1', '10.77.0.2'];

describe('the kernel plane', () => {
  dataPlaneContract(
    async () => {
      const kernel = new KernelNetworks({
        nodeID: 'node',
        tools: systemTools,
        plane: { publishAddress: '', endsConnections: true },
        clock: systemClock,
        log,
      });
      const self = { ID: 'node', Number: 1, Address: asked, DataPathPort: 4789, EncryptionEpoch: 0 };
      await kernel.apply({ peers: new Map([[self.ID, self]]), networks: new Map(), services: new Map() });
      return new KernelPlane({ base: new UserSpacePlane({ log, clock: systemClock }), kernel });
    },
    { asked, servers, carriesBytes: false },
  );
});
