import { X509Certificate } from 'node:crypto';
import { ShoalError } from '../../model/errors.js';
import type { Authority } from '../../security/authority.js';
import { certificatesIn, joinPEM, publicKeyOf } from '../../security/chain.js';
import { type Caller, crossSignRequestFor, signExternally } from '../../security/external-ca.js';

/** Who asks for another root, and when (wall time). */
export interface Asking {
  now_ms: number;
  /** How this manager shows itself to an external CA. */
  caller: Caller;
}

/** What is wrong with a certificate by which the root `oldPEM` is to vouch for the root `newPEM`. */
function faultOf(crossSigned: X509Certificate, oldPEM: string, newPEM: string, now_ms: number): string | undefined {
  const [old, next] = [new X509Certificate(oldPEM), new X509Certificate(newPEM)];
  if (publicKeyOf(crossSigned) !== publicKeyOf(next)) return 'is for another key';
  if (crossSigned.subject !== next.subject) return 'is for another name';
  if (!crossSigned.ca) return 'is not that of a CA';
  if (crossSigned.issuer !== old.subject || !crossSigned.verify(old.publicKey)) return 'is not from the present root';
  if (Date.parse(crossSigned.validFrom) > now_ms || Date.parse(crossSigned.validTo) <= now_ms)
    return 'is not valid now';
  return undefined;
}

/**
 * Has the external CA that alone has the key of the present root vouch for the root that takes its place. Throws `unavailable` when it does
 * not sign, `internal` when what it signed leads nobody from the old root to the new one.
 */
export async function crossSignExternally(
  oldPEM: string,
  next: Authority,
  urls: readonly string[],
  rootsPEM: string,
  { now_ms, caller }: Asking,
): Promise<string> {
  const signed = await signExternally(urls, await crossSignRequestFor(next), caller, rootsPEM);
  const crossSigned = certificatesIn(signed)[0]!;
  const fault = faultOf(crossSigned, oldPEM, next.certificatePEM, now_ms);
  if (fault === undefined) return joinPEM(crossSigned.toString());
  throw new ShoalError('internal', `the certificate that the external CA has signed for the new root ${fault}`);
}
