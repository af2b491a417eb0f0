// The user-space plane as a process of its own, measured by lb.ts: `ADDRESS PORT:HOST:PORT…`, where it listens and where to it leads.
import { createLogger, transports } from 'winston';
import { systemClock } from '../src/model/clock.js';
import { UserSpacePlane } from '../src/network/user-space/plane.js';

const log = createLogger({ level: 'warn', transports: [new transports.Console()] });
const [address = '127.0.0.1', ...ways] = process.argv.slice(2);
const plane = new UserSpacePlane({ log, clock: systemClock, addresses: [address] });
const { failed } = await plane.apply(
  ways.map((way) => {
    const [published, host = '', target] = way.split(':');
    return {
      ID: `tcp/${published}`,
      ServiceID: 'bench',
      ServiceName: 'bench',
      Protocol: 'tcp',
      PublishedPort: Number(published),
      TargetPort: Number(target),
      Endpoints: [{ TaskID: 'bench', NodeID: 'bench', Host: host, Port: Number(target), Inside: '' }],
      Masquerade: false,
      Sticky: false,
      Opaque: false,
    };
  }),
);
if (failed.length > 0) throw new Error(JSON.stringify(failed));
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
