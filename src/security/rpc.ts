import * as grpc from '@grpc/grpc-js';
import { type ErrorCode, errorCodes, messageOf, ShoalError } from '../model/errors.js';

const statuses: Partial<Record<ErrorCode, grpc.status>> = {
  'invalid-argument': grpc.status.INVALID_ARGUMENT,
  unauthorized: grpc.status.UNAUTHENTICATED,
  forbidden: grpc.status.PERMISSION_DENIED,
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

type UnaryMethod<Request, Response> = (
  request: Request,
  metadata: grpc.Metadata,
  options: grpc.CallOptions,
  callback: grpc.requestCallback<Response>,
) => grpc.ClientUnaryCall;

/** Calls a method of one request and one answer. Throws ShoalError: the other side's own, or `unavailable` after `timeout_ms`. */
export function callUnary<Request, Response>(
  client: grpc.Client,
  method: UnaryMethod<Request, Response>,
  request: Request,
  timeout_ms: number,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + timeout_ms };
    method.call(client, request, new grpc.Metadata(), options, (failure, response) => {
      if (failure) reject(errorOf(failure, client.getChannel().getTarget().replace(/^dns:/, '')));
      else resolve(response as Response);
    });
  });
}
