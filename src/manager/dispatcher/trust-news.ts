import type { ManagersInit } from '../../model/types.js';
import type { Store } from '../../store/store.js';
import { issuerKeyOf, trustOf } from '../ca/trust.js';
import { trustedManagers } from '../membership/standing.js';
import { type Leadership, managersFor } from './managers.js';
import type { Session } from './session.js';

export interface TrustNewsParts {
  store: Store;
  leadership(): Leadership;
  sessions(): Iterable<Session>;
}

/** What nodes are told of whom to turn to and whom to trust: the managers, and the roots of certificates. */
export class TrustNews {
  private toldManagers = '';

  constructor(private readonly parts: TrustNewsParts) {}

  /** All of it, to a node that has just opened its session. */
  welcome(session: Session): void {
    session.send({ Managers: this.managersTo(session.nodeID) });
    this.tellRoots([session]);
  }

  /** Tells every node when the managers have changed, or whose certificates count as managers'. */
  managersChanged(): void {
    const { managers } = this.parts.leadership();
    const trusted = [...trustedManagers(this.parts.store, managers)].sort();
    const told = JSON.stringify([managers, trusted]);
    if (told === this.toldManagers) return;
    this.toldManagers = told;
    for (const session of this.parts.sessions()) session.send({ Managers: this.managersTo(session.nodeID) });
  }

  /** Tells every node which roots it shall trust, and be certified by. */
  rootsChanged(): void {
    this.tellRoots(this.parts.sessions());
  }

  private tellRoots(sessions: Iterable<Session>): void {
    const { store } = this.parts;
    const root = store.cluster()?.RootCA;
    if (root == null || root.CertificatePEM === '') return;
    const TrustRoots = {
      RootCertificatesPEM: trustOf(root).rootsPEM,
      IssuerKey: issuerKeyOf(root),
      AsOf: store.index,
    };
    for (const session of sessions) session.send({ TrustRoots });
  }

  private managersTo(nodeID: string): ManagersInit {
    const { leadership, store } = this.parts;
    const { managers } = leadership();
    const TrustedIDs = [...trustedManagers(store, managers)];
    return { ...managersFor(nodeID, managers), TrustedIDs, AsOf: store.index };
  }
}
