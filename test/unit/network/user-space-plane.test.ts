import { createLogger } from 'winston';
import { systemClock } from '../../../src/model/clock.js';
import { HandleWires } from '../../../src/network/user-space/handle-wires.js';
import { nodeHandles } from '../../../src/network/user-space/node-handles.js';
import { UserSpacePlane } from '../../../src/network/user-space/plane.js';
import { SocketWires } from '../../../src/network/user-space/socket-wires.js';
import { dataPlaneContract } from '../../helpers/data-plane-contract.js';

const log = createLogger({ silent: true });

describe('the user-space plane', () => {
  describe("on Node's handles", () => {
    dataPlaneContract(
      () => new UserSpacePlane({ log, clock: systemClock, idle_ms: 300, wires: new HandleWires(nodeHandles()!) }),
    );
  });
  describe('on sockets', () => {
    dataPlaneContract(() => new UserSpacePlane({ log, clock: systemClock, idle_ms: 300, wires: new SocketWires() }));
  });
});
