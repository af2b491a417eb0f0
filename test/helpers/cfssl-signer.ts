import 'reflect-metadata';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import * as x509 from '@peculiar/x509';
import { type Authority, signNodeCertificate } from '../../src/security/authority.js';
import { identityFrom } from '../../src/security/identity.js';
import { exportKey, newKeys, ownAlgorithm, signingKey } from '../../src/security/keys.js';

interface SignRequest {
  certificate_request: string;
  hosts: string[];
  subject: { CN: string; names: { O: string; OU: string }[] };
  profile?: string;
  extensions?: { id: string; critical: boolean; value: string }[];
}

/** Key and certificate of an ordinary TLS server at this address. */
export async function serverMaterial(
  authority: Authority,
  ip: string,
): Promise<{ keyPEM: string; certificatePEM: string }> {
  const [keys, root] = [await newKeys(), new x509.X509Certificate(authority.certificatePEM)];
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${ip}`,
    issuer: root.subjectName,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3600_000),
    signingAlgorithm: ownAlgorithm,
    publicKey: keys.publicKey,
    signingKey: (await signingKey(authority.keyPEM)).key,
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: ip }]),
      await x509.AuthorityKeyIdentifierExtension.create(root.publicKey), // roots may have the same name
    ],
  });
  return { keyPEM: await exportKey(keys.privateKey), certificatePEM: certificate.toString('pem') };
}

/** A small external CA: signs over HTTPS, by the cfssl protocol, for callers that show a certificate of `clients`. */
export class CfsslSigner {
  readonly signed: string[] = [];
  refuses = false;
  /** Signs with another root than it says. */
  signer: Authority;

  private constructor(
    readonly authority: Authority,
    private readonly server: Server,
  ) {
    this.signer = authority;
  }

  static async start(authority: Authority, clients: string): Promise<CfsslSigner> {
    const own = await serverMaterial(authority, '127.0.0.1');
    const server = createServer({
      key: own.keyPEM,
      cert: own.certificatePEM,
      ca: [clients, authority.certificatePEM],
      requestCert: true,
      rejectUnauthorized: true,
    });
    const signer = new CfsslSigner(authority, server);
    server.on('request', (request, response) => {
      let text = '';
      request.on('data', (chunk) => {
        text += chunk;
      });
      request.on('end', async () => {
        const answer = await signer
          .answer(JSON.parse(text))
          .catch((error) => ({ success: false, errors: [String(error)] }));
        response.end(JSON.stringify(answer));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return signer;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.server.address() as AddressInfo).port}/api/v1/cfssl/sign`;
  }

  private async answer(request: SignRequest): Promise<object> {
    if (this.refuses) return { success: false, errors: [{ code: 1, message: 'no' }], result: null };
    if (request.profile === 'CA') return this.crossSigned(request);
    const { certificate_request, hosts, subject } = request;
    const { O, OU } = subject.names[0]!;
    const altNames = hosts.map((host) => `DNS:${host}`).join(', ');
    const identity = identityFrom({ CN: subject.CN, O, OU }, altNames);
    const validity = { now_ms: Date.now(), expiry_ms: 3600_000 };
    const certificate = await signNodeCertificate(this.signer, certificate_request, identity, validity);
    this.signed.push(identity.nodeID);
    return { success: true, result: { certificate }, errors: [], messages: [] };
  }

  /** A certificate for another root: subject and extensions as the request asks beside the PKCS 10, as cfssl has it. */
  private async crossSigned({ certificate_request, subject, extensions = [] }: SignRequest): Promise<object> {
    const asked = new x509.Pkcs10CertificateRequest(certificate_request);
    if (!(await asked.verify())) throw new Error('the request does not own its key');
    const root = new x509.X509Certificate(this.signer.certificatePEM);
    const part = ([key, value]: [string, string]) => ({ [key]: [value] });
    const certificate = await x509.X509CertificateGenerator.create({
      subject: [...Object.entries(subject.names[0] ?? {}).map(part), { CN: [subject.CN] }],
      issuer: root.subjectName,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 24 * 3600_000),
      signingAlgorithm: ownAlgorithm,
      publicKey: asked.publicKey,
      signingKey: (await signingKey(this.signer.keyPEM)).key,
      extensions: [
        ...extensions.map(({ id, critical, value }) => new x509.Extension(id, critical, Buffer.from(value, 'hex'))),
        await x509.SubjectKeyIdentifierExtension.create(asked.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(root.publicKey),
      ],
    });
    this.signed.push(subject.CN);
    return { success: true, result: { certificate: certificate.toString('pem') }, errors: [], messages: [] };
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
