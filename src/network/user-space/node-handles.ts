/** Node's own TCP handle (lib/net.js is built on it): as much of it as a wire uses. */
export interface TcpHandle {
  onread: (this: TcpHandle) => Uint8Array | undefined;
  onconnection: (status: number, handle: TcpHandle | undefined) => void;
  readStart(): number;
  readStop(): number;
  useUserBuffer(buffer: Uint8Array): void;
  writeBuffer(request: Request, bytes: Uint8Array): number;
  shutdown(request: Request): number;
  connect(request: Request, address: string, port: number): number;
  connect6(request: Request, address: string, port: number): number;
  setNoDelay(on: boolean): number;
  setKeepAlive(on: boolean, delay_s: number): number;
  getpeername(out: object): number;
  reset(done: () => void): number;
  close(done?: () => void): void;
}

/** What an operation that ends later reports to. */
export interface Request {
  oncomplete: (this: Request, status: number) => void;
  /** Keeps the bytes alive while the kernel has not taken them. */
  bytes?: Uint8Array;
}

export interface NodeHandles {
  newHandle(): TcpHandle;
  newConnect(): Request;
  newWrite(): Request;
  newShutdown(): Request;
  /** Result of the last read, inside `onread`: bytes, or a negative error number. */
  lastRead(): number;
  /** Whether the last `writeBuffer` left something for later. */
  lastWriteWaits(): boolean;
}

const methods = [
  'readStart',
  'readStop',
  'useUserBuffer',
  'writeBuffer',
  'shutdown',
  'connect',
  'connect6',
  'setNoDelay',
  'setKeepAlive',
  'getpeername',
  'reset',
  'close',
];

/**
 * The handles below `net`, or undefined where this Node does not give them out or has others than we know.
 * `net.Socket` costs 60 µs and more of processor a connection beyond what they do.
 */
export function nodeHandles(): NodeHandles | undefined {
  try {
    const { binding } = process as unknown as { binding?: (name: string) => Record<string, unknown> };
    if (binding === undefined) return undefined;
    const tcp = binding('tcp_wrap') as {
      TCP: new (type: number) => TcpHandle;
      TCPConnectWrap: new () => Request;
      constants: { SOCKET: number };
    };
    const stream = binding('stream_wrap') as {
      WriteWrap: new () => Request;
      ShutdownWrap: new () => Request;
      streamBaseState: Int32Array;
      kReadBytesOrError: number;
      kLastWriteWasAsync: number;
    };
    const known =
      methods.every((name) => typeof Reflect.get(tcp.TCP.prototype as object, name) === 'function') &&
      [tcp.TCPConnectWrap, stream.WriteWrap, stream.ShutdownWrap].every((one) => typeof one === 'function') &&
      [tcp.constants.SOCKET, stream.kReadBytesOrError, stream.kLastWriteWasAsync].every(Number.isInteger) &&
      ArrayBuffer.isView(stream.streamBaseState);
    if (!known) return undefined;
    const { streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = stream;
    return {
      newHandle: () => new tcp.TCP(tcp.constants.SOCKET),
      newConnect: () => new tcp.TCPConnectWrap(),
      newWrite: () => new stream.WriteWrap(),
      newShutdown: () => new stream.ShutdownWrap(),
      lastRead: () => streamBaseState[kReadBytesOrError]!,
      lastWriteWaits: () => streamBaseState[kLastWriteWasAsync] !== 0,
    };
  } catch {
    return undefined;
  }
}
