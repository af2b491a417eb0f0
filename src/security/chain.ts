import { X509Certificate } from 'node:crypto';

const blocksIn = (pem: string) => pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];

/** The certificates in a PEM text, in their order. Throws when one of them is none. */
export function certificatesIn(pem: string): X509Certificate[] {
  return blocksIn(pem).map((block) => new X509Certificate(block));
}

/** Whether two PEM texts hold the same certificates, however their lines are broken and whatever stands around them. */
export function samePEM(one: string, other: string): boolean {
  const bare = (pem: string) => blocksIn(pem).join('').replace(/\s/g, '');
  return bare(one) === bare(other);
}

/** PEM texts as one, each with a line end. */
export function joinPEM(...pems: readonly string[]): string {
  return pems
    .filter((pem) => pem !== '')
    .map((pem) => `${pem.trim()}\n`)
    .join('');
}

/** The public key of a certificate, base64 of its DER: the same for a root and for a certificate that another root gave it. */
export function publicKeyOf(certificate: X509Certificate): string {
  return certificate.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
}

/**
 * The certificate among `roots`, or among the others in `chain`, that has signed the first one of `chain`; undefined when none of
 * `roots` stands at its end. `chain`: a node's certificate and at most one that leads from it to a root.
 */
export function issuerIn(
  chain: readonly X509Certificate[],
  roots: readonly X509Certificate[],
): X509Certificate | undefined {
  const [leaf, ...between] = chain;
  if (leaf === undefined) return undefined;
  const isRooted = (one: X509Certificate) => roots.some((root) => one.verify(root.publicKey));
  return (
    roots.find((root) => leaf.verify(root.publicKey)) ??
    between.find((one) => one.ca && leaf.verify(one.publicKey) && isRooted(one))
  );
}
