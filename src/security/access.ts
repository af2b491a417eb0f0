import type { NodeRole } from './identity.js';

/** Who may call a method. `nobody`: callers without a certificate, who have nothing but a join token to show. */
export type Caller = NodeRole | 'nobody';

const managers: readonly Caller[] = ['manager'];
const nodes: readonly Caller[] = ['worker', 'manager'];
const anyone: readonly Caller[] = ['nobody', 'worker', 'manager'];

/** Every method that the cluster port serves. What is not listed here is refused, whoever asks. */
const access: ReadonlyMap<string, readonly Caller[]> = new Map([
  ['/shoal.CertificateAuthority/GetRoot', anyone],
  ['/shoal.CertificateAuthority/Join', anyone],
  ['/shoal.CertificateAuthority/Renew', nodes],
  ['/shoal.Dispatcher/AttachNetwork', nodes],
  ['/shoal.Dispatcher/Session', nodes],
  ['/shoal.ManagerPeers/Drained', managers],
  ['/shoal.Membership/JoinRaft', managers],
  ['/shoal.Membership/LeaveRaft', managers],
  ['/shoal.Membership/Drain', nodes],
  ['/shoal.Raft/Messages', managers],
  ['/shoal.Raft/Stream', managers],
  ['/shoal.Tunnel/Connect', managers],
]);

/** Whether only managers may call the method: then a certificate that says so is not enough, they must still be one. */
export function isForManagers(path: string): boolean {
  return access.get(path) === managers;
}

/** Whether a caller in this role may call the method (a gRPC path, `/package.Service/Method`). */
export function mayCall(caller: Caller, path: string): boolean {
  return access.get(path)?.includes(caller) ?? false;
}
