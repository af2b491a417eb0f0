import { createPrivateKey, type X509Certificate } from 'node:crypto';
import { createSecureContext, type PeerCertificate, type SecureContext } from 'node:tls';
import type * as grpc from '@grpc/grpc-js';
import { messageOf, ShoalError } from '../model/errors.js';
import type { TLSInfo } from '../model/types.js';
import { certificatesIn, issuerIn, joinPEM, publicKeyOf } from './chain.js';
import {
  type Dialer,
  type Expected,
  type Guard,
  type Identity,
  identityFrom,
  noGuard,
  type Subject,
} from './identity.js';
import { LiveCredentials } from './live-credentials.js';
import { tlsInfoOf } from './tls-info.js';

/** A node's key, certificate (and what leads from it to a root) and roots of trust, all PEM. Two roots while one takes the other's place. */
export interface Material {
  keyPEM: string;
  certificatePEM: string;
  rootPEM: string;
}

/** Subject of a certificate in the shape that TLS gives (X509Certificate gives lines of `KEY=value`). */
export function subjectOf(certificate: X509Certificate): Subject {
  const subject: Record<string, string | string[]> = {};
  for (const line of certificate.subject.split('\n')) {
    const [key, value] = [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)];
    const before = subject[key];
    subject[key] = before === undefined ? value : [before, value].flat();
  }
  return subject;
}

/** Throws `unauthorized` when key, certificate and root do not belong together. */
export function checkMaterial(material: Material): {
  certificate: X509Certificate;
  issuer: X509Certificate;
  identity: Identity;
} {
  const chain = certificatesIn(material.certificatePEM);
  const [certificate] = chain;
  if (certificate === undefined) throw new ShoalError('unauthorized', 'there is no node certificate');
  if (!certificate.checkPrivateKey(createPrivateKey(material.keyPEM))) {
    throw new ShoalError('unauthorized', 'the node certificate belongs to another key');
  }
  const issuer = issuerIn(chain, certificatesIn(material.rootPEM));
  if (issuer === undefined) {
    throw new ShoalError('unauthorized', "the node certificate is not signed by the cluster's root");
  }
  return { certificate, issuer, identity: identityFrom(subjectOf(certificate), certificate.subjectAltName) };
}

/**
 * What a node shows to others, and swaps while it runs: connections that are open stay, new ones use the new certificate.
 * Trusts the cluster's root and nothing else; TLS 1.3 only.
 */
export class Credentials implements Dialer {
  #material!: Material;
  #certificate!: X509Certificate;
  #issuer!: X509Certificate;
  #identity!: Identity;
  #context!: SecureContext;
  #guard: Guard = noGuard;
  readonly #watchers = new Set<() => void>();

  /** Throws `unauthorized` when key, certificate and root do not belong together. */
  constructor(material: Material) {
    this.#take(material);
  }

  #take(material: Material): void {
    const { certificate, issuer, identity } = checkMaterial(material);
    const { keyPEM: key, certificatePEM: cert, rootPEM: ca } = material;
    this.#context = createSecureContext({ key, cert, ca, minVersion: 'TLSv1.3' });
    this.#material = material;
    this.#certificate = certificate;
    this.#issuer = issuer;
    this.#identity = identity;
  }

  get material(): Material {
    return this.#material;
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** Who signed the certificate, and what is trusted: as the API tells it of a node. */
  get tlsInfo(): TLSInfo {
    return { ...tlsInfoOf(joinPEM(this.#issuer.toString())), TrustRoot: joinPEM(this.#material.rootPEM) };
  }

  /** The public key of the root that signed the certificate. */
  get issuerKey(): string {
    return publicKeyOf(this.#issuer);
  }

  /** Wall time in milliseconds at which the certificate begins and ends. */
  get validity(): { from_ms: number; to_ms: number } {
    return { from_ms: Date.parse(this.#certificate.validFrom), to_ms: Date.parse(this.#certificate.validTo) };
  }

  /** Uses new material from now on. Throws `unauthorized` when it does not fit together; the old one is then kept. */
  swap(material: Material): void {
    this.#take(material);
    for (const call of this.#watchers) call();
  }

  /** Calls back after each swap; the result stops it. */
  onSwap(call: () => void): () => void {
    this.#watchers.add(call);
    return () => this.#watchers.delete(call);
  }

  /** What is known of other nodes beyond their certificates. */
  get guard(): Guard {
    return this.#guard;
  }

  /** Whom the guard refuses is not called from now on, nor served by the listener; the result puts the one before in place again. */
  setGuard(guard: Guard): () => void {
    const before = this.#guard;
    this.#guard = guard;
    return () => {
      this.#guard = before;
    };
  }

  credentials(expected: Expected = {}): grpc.ChannelCredentials {
    return new LiveCredentials({
      context: () => this.#context,
      refusal: (certificate) => this.#refusal(expected, certificate),
      verified: true,
    });
  }

  #refusal(expected: Expected, certificate: PeerCertificate): Error | undefined {
    try {
      const peer = identityFrom(certificate.subject as Subject, certificate.subjectaltname);
      if (peer.clusterID !== this.#identity.clusterID) throw new ShoalError('unauthorized', 'it is of another cluster');
      if (expected.role !== undefined && peer.role !== expected.role) {
        throw new ShoalError('unauthorized', `it is a ${peer.role}, not a ${expected.role}`);
      }
      if (expected.nodeID !== undefined && peer.nodeID !== expected.nodeID) {
        throw new ShoalError('unauthorized', `it is node ${peer.nodeID}, not ${expected.nodeID}`);
      }
      const refusal =
        this.#guard.removal(peer) ?? (expected.role === 'manager' ? this.#guard.demotion(peer) : undefined);
      if (refusal !== undefined) throw new ShoalError('unauthorized', refusal);
      return undefined;
    } catch (error) {
      return new Error(`the other end is not whom we called: ${messageOf(error)}`);
    }
  }
}
