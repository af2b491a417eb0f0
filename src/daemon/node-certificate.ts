import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';
import { ShoalError } from '../model/errors.js';
import type { Random } from '../model/random.js';
import { renewalTime, renewCertificate } from '../security/admission.js';
import { certificatesIn, issuerIn, joinPEM } from '../security/chain.js';
import { Credentials, type Material } from '../security/credentials.js';
import type { NodeVault } from './node-vault.js';
import type { NodeState } from './state.js';

/** The roots to trust and the root to be certified by, as of an entry of the managers' log. */
export interface WantedTrust {
  rootsPEM: string;
  issuerKey: string;
  asOf: number;
}

/** The node's certificate, on disk and in use, and when it is to be renewed. */
export class NodeCertificate {
  #renewAt_ms: number;
  #wanted: WantedTrust | undefined;

  private constructor(
    readonly credentials: Credentials,
    private readonly vault: NodeVault,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly log: Logger,
  ) {
    this.#renewAt_ms = this.#nextRenewal();
  }

  /** Takes up the one in the vault. Throws when it is of another node, or has ended. */
  static take(
    vault: NodeVault,
    { nodeID }: Pick<NodeState, 'nodeID'>,
    { clock, random, log }: { clock: Clock; random: Random; log: Logger },
  ): NodeCertificate {
    const credentials = new Credentials(vault.material);
    const { identity, validity } = credentials;
    if (identity.nodeID !== nodeID) {
      throw new ShoalError(
        'failed-precondition',
        `node.json: damaged: the certificate is of node ${identity.nodeID}, not of ${nodeID}`,
      );
    }
    if (validity.to_ms <= clock.now()) {
      const when = new Date(validity.to_ms).toISOString();
      throw new ShoalError(
        'unauthorized',
        `the certificate of this node ended at ${when}, while it was away; no other node takes it any more`,
      );
    }
    return new NodeCertificate(credentials, vault, clock, random, log);
  }

  get role() {
    return this.credentials.identity.role;
  }

  /**
   * The cluster wants these roots to be trusted, and the certificate to be from the one with this key. Whether there is something to do:
   * `adoptTrust`, and `renew` when `isDue`.
   */
  trust(wanted: WantedTrust): boolean {
    const { rootsPEM, asOf } = wanted;
    // A manager that lags may not know of a root yet by which others are certified already: without that one they would be out of reach.
    if (asOf < Math.max(this.#wanted?.asOf ?? 0, this.credentials.identity.asOf)) return false;
    this.#wanted = wanted;
    return this.isDue || !this.#trusts(rootsPEM);
  }

  /** Trusts the wanted roots from now on, unless the certificate is from none of them yet: then it is to be renewed first. */
  async adoptTrust(): Promise<void> {
    const rootPEM = this.#wanted?.rootsPEM ?? '';
    const { material } = this.credentials;
    if (rootPEM === '' || this.#trusts(rootPEM)) return;
    const chain = certificatesIn(material.certificatePEM);
    if (issuerIn(chain, certificatesIn(rootPEM)) === undefined) return;
    await this.#take({ ...material, rootPEM });
    this.log.info('the roots of trust have changed');
  }

  #trusts(rootsPEM: string): boolean {
    return joinPEM(rootsPEM) === joinPEM(this.credentials.material.rootPEM);
  }

  async #take(material: Material): Promise<void> {
    await this.vault.keepMaterial(material);
    this.credentials.swap(material);
  }

  /** Whether it is time to renew it, or it is from another root than it shall be. */
  get isDue(): boolean {
    const issuerKey = this.#wanted?.issuerKey ?? '';
    return this.dueIn_ms <= 0 || (issuerKey !== '' && issuerKey !== this.credentials.issuerKey);
  }

  /** Milliseconds until it is to be renewed; not positive: it is due. */
  get dueIn_ms(): number {
    return this.#renewAt_ms - this.clock.now();
  }

  /** Gets a new one from the manager that answers to `ask`, for a new key and in the role that the cluster says. */
  async renew(ask: <T>(call: (address: string) => Promise<T>) => Promise<T>, checkRunning: () => void): Promise<void> {
    const material = await ask((address) => renewCertificate(this.credentials, this.credentials, address));
    checkRunning();
    await this.#take(material);
    this.#renewAt_ms = this.#nextRenewal();
    this.log.info('certificate renewed', { role: this.role });
  }

  #nextRenewal(): number {
    return renewalTime(this.credentials.validity, this.random.below(1000) / 1000);
  }
}
