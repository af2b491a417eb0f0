import * as grpc from '@grpc/grpc-js';
import { patiently } from '../../model/attended-clock.js';
import type { Clock } from '../../model/clock.js';
import { timestamp } from '../../model/clock.js';
import { messageOf, ShoalError } from '../../model/errors.js';
import type { FromNode, Hello } from '../../model/types.js';
import type { IdentityOf } from '../../security/identity.js';
import { statusOf } from '../../security/rpc.js';
import type { Proposer, View } from '../../store/view.js';
import { removalOf } from '../membership/removal.js';
import { described, nodeState } from './node-state.js';
import { helloFrom } from './said.js';
import { Session, type SessionCall } from './session.js';

const hello_ms_max = 5_000;

export interface ReceptionOptions {
  /** Node id of this manager. */
  self: string;
  store: View;
  proposer: Proposer;
  identityOf: IdentityOf;
  clock: Clock;
  /** Throws when this manager takes no sessions now. */
  checkServing(): void;
  heartbeat_ms(): number;
  /** A node is registered. Throws when its session is not to be. */
  onOpen(session: Session): void;
  onMessage(session: Session, message: FromNode): void;
  /** The stream is at its end; not called when `onOpen` was not. */
  onClose(session: Session): void;
}

/** Lets nodes in: Hello, registration in the replicated state, and then their messages. */
export class Reception {
  /** Nodes whose registration is on its way: a node can have one entry of Raft's log in flight, not a flood. */
  private readonly registering = new Set<string>();

  constructor(private readonly options: ReceptionOptions) {}

  accept(call: SessionCall): void {
    const { clock, identityOf, onOpen, onMessage, onClose } = this.options;
    const { nodeID } = identityOf(call);
    let session: Session | undefined;
    let isGreeted = false;
    let isOver = false;
    const refuse = (error: unknown) => {
      over();
      call.emit('error', statusOf(error));
    };
    const cancelDeadline = patiently(clock, hello_ms_max, () =>
      refuse(new ShoalError('unavailable', `Session: no Hello came within ${hello_ms_max / 1000} s`)),
    );
    const over = () => {
      isOver = true;
      cancelDeadline();
      if (session !== undefined) onClose(session);
      session = undefined;
    };
    const greeted = async (hello: Hello) => {
      const registered = await this.register(nodeID, hello, call);
      if (isOver) return;
      onOpen(registered);
      session = registered;
    };
    call.sendMetadata(new grpc.Metadata()); // the node learns that somebody is here, before its registration has gone through Raft
    call.on('error', () => {}); // 'close' follows
    call.on('close', over);
    call.on('end', () => {
      over();
      call.end();
    });
    call.on('data', (message: FromNode) => {
      if (isOver) return;
      if (session !== undefined) onMessage(session, message);
      if (isGreeted) return; // between Hello and Welcome nothing counts
      isGreeted = true;
      cancelDeadline();
      if (message.Hello) greeted(message.Hello).catch(refuse);
      else refuse(new ShoalError('invalid-argument', 'Session: the first message must be Hello'));
    });
  }

  /** Makes the session known to the whole cluster; from then on no older one of the node counts. */
  private async register(nodeID: string, said: Hello, call: SessionCall): Promise<Session> {
    const { store, proposer, clock, self, checkServing, heartbeat_ms } = this.options;
    checkServing();
    const hello = helloFrom(said, store.get('Node', self)?.ManagerStatus?.Addr ?? '');
    if (this.registering.has(nodeID)) {
      throw new ShoalError('overloaded', `node ${nodeID}: another session of it is being opened`);
    }
    this.registering.add(nodeID);
    const Status = {
      ...nodeState(hello.EngineError),
      Addr: hello.Addr,
      ClusterAddr: hello.ClusterAddr,
      DataPathAddr: hello.DataPathAddr,
      SessionManager: self,
      SessionEpoch: 0, // the store gives it its own
    };
    const Description = hello.Description && described(hello.Description, store.get('Node', nodeID)?.Description);
    const { index } = await proposer
      .propose({
        Operations: [{ Action: 'observe', Node: { ID: nodeID, Description, Status } }],
        Origin: 'dispatcher',
        Time: timestamp(clock),
      })
      .catch((error) => {
        throw error instanceof ShoalError ? error : new ShoalError('internal', messageOf(error), { cause: error });
      })
      .finally(() => this.registering.delete(nodeID));
    const node = store.get('Node', nodeID);
    if (node === undefined) {
      const removal = removalOf(store, nodeID); // this manager may not have heard of it yet when the call was let in
      if (removal !== undefined) throw new ShoalError('node-removed', removal);
      throw new ShoalError('forbidden', `node ${nodeID} is not a member of this cluster`);
    }
    if ((node.Status?.SessionEpoch ?? 0) > index) {
      throw new ShoalError('out-of-sequence', `node ${nodeID} has opened another session`);
    }
    return new Session(nodeID, index, call, clock, heartbeat_ms());
  }
}
