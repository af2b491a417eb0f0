import type { Scenario } from './scenario.js';

/** What makes, changes and ends the cluster itself: run last, each scenario leaves none. */
export const founding: Scenario = {
  name: 'swarm: before there is one, and its founding',
  lines: [
    'node ls',
    'service ls',
    'swarm leave',
    'swarm join-token worker',
    'swarm unlock-key',
    'swarm update --autolock',
    'swarm unlock',
    'swarm join --token nonsense {A}:2377',
    'swarm join {A}:2377',
    'swarm init --availability asleep',
    'swarm init --default-addr-pool nonsense --advertise-addr {A}',
    'swarm init --advertise-addr nonsense-that-is-none',
    'info --format {{.Swarm.LocalNodeState}}',
    `swarm init --advertise-addr {A} --listen-addr {A}:2377 --data-path-addr {A} --data-path-port 4799 --default-addr-pool 10.50.0.0/16
     --default-addr-pool-mask-length 26 --availability active --cert-expiry 720h --dispatcher-heartbeat 2s --task-history-limit 3
     --max-snapshots 2 --snapshot-interval 5000`,
    'swarm init',
    'swarm join --token x {A}:2377',
    `@B swarm join --token $(swarm join-token -q worker) --advertise-addr {B} --listen-addr {B}:2377 --data-path-addr {B}
     --availability active {A}:2377`,
    'until Ready: node ls --filter role=worker --format {{.Status}}',
  ],
};

export const changing: Scenario = {
  name: 'swarm: its settings and its keys',
  lines: [
    'swarm join-token worker',
    'swarm join-token --quiet manager',
    'swarm join-token --rotate worker',
    'swarm join-token nothing',
    'swarm update --task-history-limit 4 --cert-expiry 48h --dispatcher-heartbeat 1s --max-snapshots 1 --snapshot-interval 9000',
    'info --format {{json .Swarm.Cluster.Spec}}',
    'swarm update --task-history-limit -2',
    'swarm update --dispatcher-heartbeat 0s',
    'swarm update --cert-expiry 1m',
    'swarm update --task-history-limit x',
    'swarm update --external-ca protocol=nonsense,url=https://x',
    'swarm update',
    'swarm unlock-key',
    'swarm update --autolock',
    'swarm unlock-key',
    'swarm unlock-key -q',
    'swarm unlock-key --rotate',
    'swarm unlock',
    'swarm update --autolock=false',
    'swarm unlock-key',
    'swarm ca',
    'swarm ca --cert-expiry 48h',
    'swarm ca --rotate --quiet --detach --ca-cert missing.pem',
    'swarm ca --rotate --ca-key missing.pem',
    'swarm ca --rotate --external-ca nonsense',
    'swarm ca --rotate --quiet --cert-expiry 50h',
    'info --format {{.Swarm.Cluster.Spec.CAConfig.NodeCertExpiry}}',
  ],
};

export const ending: Scenario = {
  name: 'swarm: its end',
  lines: [
    'swarm leave',
    '@B swarm leave',
    'until Down: node ls --filter role=worker --format {{.Status}}',
    'node rm --force $(node ls -q --filter role=worker)',
    'node ls --format {{.Status}}',
    'swarm init --force-new-cluster --advertise-addr {A}',
    'until Ready: node ls --format {{.Status}}',
    'swarm leave --force',
    'info --format {{.Swarm.LocalNodeState}}',
    'node ls',
    'swarm init --autolock --external-ca nonsense',
    'swarm init --autolock --advertise-addr {A}',
    'swarm leave --force',
  ],
};
