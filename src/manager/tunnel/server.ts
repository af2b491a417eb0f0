import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import type * as grpc from '@grpc/grpc-js';
import type { Logger } from 'winston';
import { messageOf, ShoalError } from '../../model/errors.js';
import type { Chunk, ChunkInit, TunnelHandlers } from '../../model/types.js';
import type { IdentityOf } from '../../security/identity.js';
import { statusOf } from '../../security/rpc.js';
import { duplexOver } from './stream.js';

export interface TunnelParts {
  /** A fresh byte stream to this node's Docker Engine API. */
  connectEngine: () => Promise<Duplex>;
  identityOf: IdentityOf;
  log: Logger;
}

const tunnelsMax = 512;

/** Lets bytes through both ways until both directions have ended. Throws when either stream fails; both are destroyed then. */
async function joined(one: Duplex, other: Duplex): Promise<void> {
  for (const stream of [one, other]) stream.on('error', () => {}); // told by `finished`, once; later ones say nothing new
  one.pipe(other);
  other.pipe(one);
  try {
    await Promise.all([finished(one), finished(other)]);
  } catch (error) {
    one.destroy();
    other.destroy();
    throw error;
  }
}

/** The tunnel's service, on every node: managers (held by the cluster port's rules) reach the local engine's API through it. */
export function tunnelService({ connectEngine, identityOf, log }: TunnelParts): TunnelHandlers {
  let open = 0;

  async function carry(call: grpc.ServerDuplexStream<Chunk, ChunkInit>): Promise<void> {
    const { nodeID } = identityOf(call);
    if (open >= tunnelsMax) throw new ShoalError('overloaded', `${tunnelsMax} tunnels to the engine are open already`);
    open += 1;
    try {
      const engine = await connectEngine();
      if (call.cancelled) {
        engine.destroy(); // nobody is told of that twice: without this both ends would wait for each other for good
        throw new ShoalError('unavailable', 'the caller has gone');
      }
      log.debug('tunnel opened', { manager: nodeID });
      await joined(duplexOver(call, { halfClosed: () => {}, cut: () => {} }), engine);
    } finally {
      open -= 1;
    }
  }

  return {
    Connect: (call) => {
      carry(call).then(
        () => call.end(),
        (error) => {
          log.debug('tunnel ended', { reason: messageOf(error) });
          call.emit('error', statusOf(error));
        },
      );
    },
  };
}
