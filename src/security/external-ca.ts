import 'reflect-metadata';
import { request } from 'node:https';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import * as x509 from '@peculiar/x509';
import { messageOf, ShoalError } from '../model/errors.js';
import type { Authority } from './authority.js';
import { certificatesIn } from './chain.js';
import type { Material } from './credentials.js';
import { certificateRole, entryName, type Identity } from './identity.js';
import { signingKey } from './keys.js';

const answer_ms = 10_000;
const reach_ms = 5_000; // swarmkit's
const answerBytesMax = 256 * 1024;

/** How a manager shows itself. */
export type Caller = Pick<Material, 'keyPEM' | 'certificatePEM'>;

/** The body of a cfssl sign request (cfssl doc/api/endpoint_authsign.txt, as swarmkit ca/external.go fills it in). */
export function signRequestFor(requestPEM: string, identity: Identity): object {
  const role = certificateRole(identity.role);
  return {
    certificate_request: requestPEM,
    hosts: [role, identity.nodeID, entryName(identity.asOf)],
    subject: { CN: identity.nodeID, names: [{ O: identity.clusterID, OU: role }] },
  };
}

/** The profile under which an external CA is asked for certificates of roots (swarmkit's ExternalCrossSignProfile). */
const crossSignProfile = 'CA';
const nameParts = ['C', 'ST', 'L', 'O', 'OU'] as const; // of cfssl's subject, beside CN

/**
 * The body of a cfssl sign request for the certificate of a root that takes the external CA's place. The request is signed by the new
 * root's key. cfssl looks at no extension of a request, so that it is asked for the one that makes a CA beside it.
 */
export async function crossSignRequestFor(newRoot: Authority): Promise<object> {
  const root = new x509.X509Certificate(newRoot.certificatePEM);
  const { key, algorithm } = await signingKey(newRoot.keyPEM);
  const keys = { privateKey: key, publicKey: await root.publicKey.export() };
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: root.subjectName.toJSON(),
    keys,
    signingAlgorithm: algorithm,
  });
  const isCA = new x509.BasicConstraintsExtension(true, 0, true);
  const part = (name: string) => root.subjectName.getField(name)[0];
  const names = nameParts.flatMap((name) => (part(name) === undefined ? [] : [[name, part(name)]]));
  return {
    certificate_request: request.toString('pem'),
    subject: { CN: part('CN') ?? '', names: [Object.fromEntries(names)] },
    profile: crossSignProfile,
    extensions: [{ id: isCA.type, critical: true, value: Buffer.from(isCA.value).toString('hex') }],
  };
}

function tlsAs(caller: Caller | undefined, rootsPEM: string) {
  return { key: caller?.keyPEM, cert: caller?.certificatePEM, ca: rootsPEM, minVersion: 'TLSv1.2' as const };
}

/** Posts JSON over TLS 1.2 or later, as this manager, to a server whose certificate comes from `rootsPEM`. */
function post(url: string, body: object, caller: Caller | undefined, rootsPEM: string): Promise<string> {
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
    const options = { method: 'POST', headers, ...tlsAs(caller, rootsPEM), agent: false, timeout: answer_ms };
    const call = request(url, options, (answer) => {
      const chunks: Buffer[] = [];
      let size = 0;
      answer.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > answerBytesMax) call.destroy(new Error(`its answer is above ${answerBytesMax} bytes`));
        else chunks.push(chunk);
      });
      answer.once('error', reject);
      answer.once('end', () => {
        if (answer.statusCode === 200) resolve(Buffer.concat(chunks).toString());
        else reject(new Error(`it answers ${answer.statusCode}`));
      });
    });
    call.once('timeout', () => call.destroy(new Error(`no answer within ${answer_ms / 1000} s`)));
    call.once('error', reject);
    call.end(text);
  });
}

function certificateOf(text: string): string {
  const answer = JSON.parse(text) as { success?: unknown; result?: { certificate?: unknown } };
  const certificate = answer?.result?.certificate;
  if (answer?.success !== true || typeof certificate !== 'string') throw new Error('it did not sign the request');
  if (certificatesIn(certificate).length === 0) throw new Error('its answer has no certificate in it');
  return certificate;
}

/**
 * Has a request signed by the first of the external CAs that does; `urls` speak the cfssl sign protocol over HTTPS and take this
 * manager's certificate. Throws `unavailable` with what each of them said. What is signed is for the caller to check.
 */
export async function signExternally(
  urls: readonly string[],
  body: object,
  caller: Caller | undefined,
  rootsPEM: string,
): Promise<string> {
  const failures: string[] = [];
  for (const url of urls) {
    try {
      return certificateOf(await post(url, body, caller, rootsPEM));
    } catch (error) {
      failures.push(`${url}: ${messageOf(error)}`);
    }
  }
  throw new ShoalError('unavailable', `no external CA has signed: ${failures.join('; ')}`);
}

/** Resolves when a server at `url` shows a certificate from `rootPEM`. */
function shake(url: string, caller: Caller, rootPEM: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, ''); // of an IPv6 address
  return new Promise((resolve, reject) => {
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = connect({ host, port: Number(port || 443), ...name, ...tlsAs(caller, rootPEM), timeout: reach_ms });
    socket.once('timeout', () => socket.destroy(new Error(`no answer within ${reach_ms / 1000} s`)));
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      socket.destroy();
      resolve();
    });
  });
}

/**
 * Makes sure that one of the external CAs of a root is there, before the cluster comes to depend on it. Throws `invalid-argument` in
 * Docker's words, and with what is wrong with each.
 */
export async function checkReachable(urls: readonly string[], caller: Caller, rootPEM: string): Promise<void> {
  const failures: string[] = [];
  for (const url of urls) {
    try {
      return await shake(url, caller, rootPEM);
    } catch (error) {
      failures.push(`${url}: ${messageOf(error)}`);
    }
  }
  throw new ShoalError(
    'invalid-argument',
    `CAConfig.ExternalCAs: there must be at least one valid, reachable external CA corresponding to the desired CA certificate: ${failures.join('; ')}`,
  );
}
