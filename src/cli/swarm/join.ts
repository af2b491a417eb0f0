import type { CommandSpec } from '../base/command.js';
import { text } from '../base/flag.js';
import type { Info } from '../system/info.js';
import {
  advertiseFlag,
  availabilityFlag,
  checkAvailability,
  dataPathFlag,
  defaultListenAddress,
  listenFlag,
  withPort,
} from './flags.js';

const tokenFlag = text('token', 'Token for entry into the swarm');

/** `shoal swarm join` */
export const swarmJoin: CommandSpec = {
  usage: '[OPTIONS] HOST:PORT',
  operands: { min: 1, max: 1 },
  flags: [listenFlag, advertiseFlag, dataPathFlag, tokenFlag, availabilityFlag],
  async run(context, values, [remote]) {
    const availability = values.get(availabilityFlag);
    await context.client.post('/swarm/join', {
      body: {
        ListenAddr: withPort(values.get(listenFlag) ?? defaultListenAddress),
        AdvertiseAddr: values.get(advertiseFlag) ?? '',
        DataPathAddr: values.get(dataPathFlag) ?? '',
        RemoteAddrs: [remote],
        JoinToken: values.get(tokenFlag) ?? '',
        Availability: availability === undefined ? '' : checkAvailability(availability),
      },
    });
    const info = await context.client.get<Info>('/info');
    const role = info.Swarm?.ControlAvailable ? 'manager' : 'worker';
    context.out.write(`This node joined a swarm as a ${role}.\n`);
  },
};
