import * as grpc from '@grpc/grpc-js';
import { type ErrorCode, errorCodes, messageOf, ShoalError } from '../model/errors.js';
import { noProxy, type ServiceName, type Services, serviceDefinition } from '../model/services.js';

const statuses: Partial<Record<ErrorCode, grpc.status>> = {
  'invalid-argument': grpc.status.INVALID_ARGUMENT,
  unauthorized: grpc.status.UNAUTHENTICATED,
  forbidden: grpc.status.PERMISSION_DENIED,
  'node-removed': grpc.status.PERMISSION_DENIED,
  'not-found': grpc.status.NOT_FOUND,
  'name-conflict': grpc.status.ALREADY_EXISTS,
  'failed-precondition': grpc.status.FAILED_PRECONDITION,
  'not-supported': grpc.status.UNIMPLEMENTED,
  overloaded: grpc.status.RESOURCE_EXHAUSTED,
  internal: grpc.status.INTERNAL,
};
const codeKey = 'shoal-code';

/** The gRPC status that carries a thrown error: our code travels along, so that the other side throws the same ShoalError. */
export function statusOf(thrown: unknown): { code: grpc.status; details: string; metadata: grpc.Metadata } {
  const code: ErrorCode = thrown instanceof ShoalError ? thrown.code : 'internal';
  const metadata = new grpc.Metadata();
  metadata.set(codeKey, code);
  return { code: statuses[code] ?? grpc.status.UNAVAILABLE, details: messageOf(thrown), metadata };
}

const codesByStatus: ReadonlyMap<grpc.status, ErrorCode> = new Map([
  [grpc.status.UNAVAILABLE, 'unavailable'],
  [grpc.status.DEADLINE_EXCEEDED, 'unavailable'],
  [grpc.status.CANCELLED, 'unavailable'],
  [grpc.status.UNAUTHENTICATED, 'unauthorized'],
  [grpc.status.PERMISSION_DENIED, 'forbidden'],
  [grpc.status.UNIMPLEMENTED, 'not-a-manager'], // only managers mount the services that others are called for
]);

/** The ShoalError behind a failed call. */
export function errorOf(failure: Partial<grpc.ServiceError>, address: string): ShoalError {
  const [sent] = failure.metadata?.get(codeKey) ?? [];
  if (typeof sent === 'string' && Object.hasOwn(errorCodes, sent)) {
    return new ShoalError(sent as ErrorCode, failure.details ?? '', { cause: failure });
  }
  const code = codesByStatus.get(failure.code ?? grpc.status.UNKNOWN) ?? 'internal';
  return new ShoalError(code, `${address}: ${failure.details || failure.message || 'the call failed'}`, {
    cause: failure,
  });
}

/** A handler of one request and one answer, as a function that resolves or throws. */
export function unary<Request, Response>(
  handle: (request: Request, call: grpc.ServerUnaryCall<Request, Response>) => Promise<Response>,
): grpc.handleUnaryCall<Request, Response> {
  return (call, answer) => {
    Promise.resolve()
      .then(() => handle(call.request, call))
      .then(
        (response) => answer(null, response),
        (error) => answer(statusOf(error)),
      );
  };
}

type Definition<N extends ServiceName> = Services[N]['definition'];
type Method<N extends ServiceName> = Exclude<keyof Definition<N>, number> & string;
type RequestOf<D> = D extends { requestSerialize: (value: infer Request) => Buffer } ? Request : never;
type ResponseOf<D> = D extends { responseDeserialize: (bytes: Buffer) => infer Response } ? Response : never;

export interface CallOptions {
  credentials: grpc.ChannelCredentials;
  timeout_ms: number;
  /** How long the connection may take of that. A host that is gone refuses nothing, and the next manager may well be there. */
  connect_ms_max?: number;
}

const connect_ms_default = 3_000; // one lost SYN, and machines that are busy

/**
 * One call of a method of one request and one answer, over a connection of its own. Throws ShoalError: the other side's own,
 * or `unavailable` when it cannot be reached within the time.
 */
export function callOnce<N extends ServiceName, M extends Method<N>>(
  service: N,
  method: M,
  address: string,
  request: RequestOf<Definition<N>[M]>,
  { credentials, timeout_ms, connect_ms_max = connect_ms_default }: CallOptions,
): Promise<ResponseOf<Definition<N>[M]>> {
  const { path, requestSerialize, responseDeserialize } = serviceDefinition(service)[method]!;
  const client = new grpc.Client(address, credentials, noProxy);
  const options = { deadline: Date.now() + timeout_ms };
  let connecting: NodeJS.Timeout | undefined;
  return new Promise<ResponseOf<Definition<N>[M]>>((resolve, reject) => {
    connecting = setTimeout(() => {
      if (client.getChannel().getConnectivityState(false) === grpc.connectivityState.READY) return;
      reject(new ShoalError('unavailable', `${address}: no connection within ${connect_ms_max / 1000} s`));
    }, connect_ms_max);
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, options, (failure, response) => {
      if (failure) reject(errorOf(failure, address));
      else resolve(response as ResponseOf<Definition<N>[M]>);
    });
  }).finally(() => {
    clearTimeout(connecting);
    client.close();
  });
}
