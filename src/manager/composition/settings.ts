import type { RaftNode } from '../../raft/node.js';
import type { Store } from '../../store/store.js';

export interface SettingsParts {
  store: Store;
  raft: Pick<RaftNode, 'setSnapshotPolicy'>;
  /** What the cluster wants its managers to be locked with ('': nothing), as of this version of the cluster object. */
  onUnlockKey: (unlockKey: string, asOf: number) => void;
}

/** Has this manager do as the cluster's settings say, now and whenever they change; the result stops it. */
export function followSettings({ store, raft, onUnlockKey }: SettingsParts): () => void {
  const follow = () => {
    const cluster = store.cluster();
    if (cluster === undefined) return;
    onUnlockKey(cluster.UnlockKey, cluster.Version?.Index ?? 0);
    const { SnapshotInterval = 0, LogEntriesForSlowFollowers = 0, KeepOldSnapshots = 0 } = cluster.Spec?.Raft ?? {};
    raft.setSnapshotPolicy({
      keepOld: KeepOldSnapshots,
      ...(SnapshotInterval !== 0 && { everyEntries: SnapshotInterval, trailingEntries: LogEntriesForSlowFollowers }), // else not said
    });
  };
  follow();
  return store.watch(({ changes }) => {
    if (changes.some(({ kind }) => kind === 'Cluster')) follow();
  });
}
