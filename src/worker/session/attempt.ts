import type * as grpc from '@grpc/grpc-js';
import type { Clock } from '../../model/clock.js';
import { messageOf, ShoalError } from '../../model/errors.js';
import type {
  AttachNetworkRequestInit,
  AttachNetworkResponse,
  DispatcherClient,
  FromNodeInit,
  HelloInit,
  NodeReportInit,
  ToNode,
  Welcome,
} from '../../model/types.js';
import { errorOf } from '../../security/rpc.js';

export interface AttemptOptions {
  address: string;
  connect(address: string): DispatcherClient;
  hello(): Promise<HelloInit>;
  clock: Clock;
  /** How long the manager may take to answer the call at all. A host that is gone refuses nothing: without this it would be waited for. */
  answer_ms_max: number;
  /** The manager has taken the node in; its messages follow. */
  onWelcome(welcome: Welcome): void;
  onMessage(message: ToNode): void;
  /** The session is over, or never was. */
  onEnd(reason: ShoalError): void;
}

const beatsToLose = 3;
/** A registration is one Raft commit; a manager that takes longer is left for another. */
export const welcome_ms_max = 5_000;
const heartbeat_ms_default = 1_000;
const question_ms_max = 20_000; // Docker's: how long a node waits for an attachment
const farewell_ms_max = 1_000; // for a manager that is there to read what is on its way to it

/** One stream to one manager, from Hello to its end; `onEnd` is called at most once, and nothing after `close`. */
export class Attempt {
  private readonly client: DispatcherClient;
  private readonly stream: grpc.ClientDuplexStream<FromNodeInit, ToNode>;
  private cancelBeat = () => {};
  private cancelWatch = () => {};
  private answered = false;
  private heartbeat_ms = heartbeat_ms_default;
  private welcomed = false;
  private over = false;
  private heard_ms: number;
  /** What the node said of itself when Hello may have been on its way already. */
  private report: NodeReportInit | undefined;

  constructor(private readonly options: AttemptOptions) {
    this.heard_ms = options.clock.monotonic();
    this.client = options.connect(options.address);
    this.stream = this.client.Session();
    this.stream.on('metadata', () => this.answer());
    this.stream.on('data', (message: ToNode) => this.received(message));
    this.stream.on('error', (error: grpc.ServiceError) => this.end(errorOf(error, options.address)));
    this.stream.on('end', () => this.end(unavailable('the manager ended the session')));
    options.hello().then(
      (Hello) => {
        if (!this.over) this.stream.write({ Hello });
      },
      (error) => this.end(unavailable(messageOf(error))),
    );
    this.beatLater();
    this.watch();
  }

  get address(): string {
    return this.options.address;
  }

  /** What is said before the session is open is dropped: it is said again when the assignments come. */
  send(message: FromNodeInit): void {
    if (this.welcomed && !this.over) this.stream.write(message);
  }

  /** Asks the manager of this session. Throws `unavailable` when there is none, or it does not answer. */
  attachNetwork(request: AttachNetworkRequestInit): Promise<AttachNetworkResponse> {
    const { clock, address } = this.options;
    return new Promise((resolve, reject) => {
      if (!this.welcomed || this.over) return reject(unavailable('this node has no session with a manager'));
      const deadline = new Date(clock.now() + question_ms_max);
      this.client.AttachNetwork(request, { deadline }, (failure, response) => {
        if (failure || response === undefined) reject(errorOf(failure ?? {}, address));
        else resolve(response);
      });
    });
  }

  /** The node or its engine is not what it was; told once the session is open. */
  describe(report: NodeReportInit): void {
    if (this.welcomed) this.send({ NodeReport: report });
    else this.report = report;
  }

  /** Nothing is said or heard any more. What was said before still arrives: the manager ends the call once it has read that. */
  close(): void {
    if (this.over) return;
    this.over = true;
    this.cancelBeat();
    this.cancelWatch();
    this.stream.end();
    let cancel = () => {};
    const cut = () => {
      cancel();
      this.stream.cancel();
      this.client.close();
    };
    if (this.welcomed) {
      cancel = this.options.clock.after(farewell_ms_max, cut);
      this.stream.once('end', cut);
      this.stream.once('error', cut);
    } else cut();
  }

  private end(reason: ShoalError): void {
    if (this.over) return;
    this.close();
    this.options.onEnd(reason);
  }

  /** The manager is there: the call has reached it. */
  private answer(): void {
    if (this.answered || this.over) return;
    this.answered = true;
    this.heard_ms = this.options.clock.monotonic();
    this.watch();
  }

  private received(message: ToNode): void {
    if (this.over) return;
    this.heard_ms = this.options.clock.monotonic();
    if (message.Welcome) this.welcome(message.Welcome);
    const period = message.HeartbeatAck?.HeartbeatPeriod ?? 0;
    if (period > 0) this.setPeriod(period / 1e6);
    if (this.welcomed && !this.over) this.options.onMessage(message);
  }

  private welcome(welcome: Welcome): void {
    this.welcomed = true;
    if (welcome.HeartbeatPeriod > 0) this.setPeriod(welcome.HeartbeatPeriod / 1e6);
    this.watch();
    this.options.onWelcome(welcome);
    if (this.report !== undefined) this.send({ NodeReport: this.report });
    this.report = undefined;
  }

  private setPeriod(heartbeat_ms: number): void {
    if (heartbeat_ms === this.heartbeat_ms) return;
    this.heartbeat_ms = heartbeat_ms;
    this.cancelBeat();
    this.beatLater();
    this.watch();
  }

  private beatLater(): void {
    this.cancelBeat = this.options.clock.after(this.heartbeat_ms, () => {
      this.send({ Heartbeat: {} });
      this.beatLater();
    });
  }

  /** How long the manager may be silent now, and what it means when it is for longer. */
  private get patience(): { silent_ms_max: number; reason: string } {
    if (this.welcomed)
      return { silent_ms_max: beatsToLose * this.heartbeat_ms, reason: 'no heartbeat from the manager' };
    if (this.answered) return { silent_ms_max: welcome_ms_max, reason: 'no answer to the registration' };
    return { silent_ms_max: this.options.answer_ms_max, reason: 'the manager does not answer' };
  }

  /** Ends the attempt when the silence has lasted too long; not a beat later, because the node's tasks may wait elsewhere. */
  private watch(): void {
    this.cancelWatch();
    const { silent_ms_max, reason } = this.patience;
    const silent_ms = this.options.clock.monotonic() - this.heard_ms;
    if (silent_ms >= silent_ms_max) this.end(unavailable(reason));
    else this.cancelWatch = this.options.clock.after(silent_ms_max - silent_ms, () => this.watch());
  }
}

function unavailable(reason: string): ShoalError {
  return new ShoalError('unavailable', reason);
}
