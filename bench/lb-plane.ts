// The user-space plane as a process of its own, measured by lb.ts: `PUBLISHED TARGET` pairs of ports as arguments.
import { createLogger, transports } from 'winston';
import { systemClock } from '../src/model/clock.js';
import { UserSpacePlane } from '../src/network/user-space/plane.js';

const log = createLogger({ level: 'warn', transports: [new transports.Console()] });
const plane = new UserSpacePlane({ log, clock: systemClock, addresses: ['127.0.0.1'] });
const pairs = process.argv.slice(2).map((pair) => pair.split(':').map(Number) as [number, number]);
const { failed } = await plane.apply(
  pairs.map(([published, target]) => ({
    ID: `tcp/${published}`,
    ServiceID: 'bench',
    ServiceName: 'bench',
    Protocol: 'tcp',
    PublishedPort: published,
    TargetPort: target,
    Endpoints: [{ TaskID: 'bench', NodeID: 'bench', Host: '127.0.0.1', Port: target, Inside: '' }],
    Masquerade: false,
    Sticky: false,
  })),
);
if (failed.length > 0) throw new Error(JSON.stringify(failed));
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
