import type { HostLayout } from './layout.js';

/** The engine's command line on a host of the lab. */
export function engineCommand(host: HostLayout, extraFlags: readonly string[] = []): string[] {
  return [
    'dockerd',
    '--data-root',
    host.dataDirectory,
    '--exec-root',
    '/run/docker',
    '--pidfile',
    '/run/docker.pid',
    '-H',
    `unix://${host.engineSocket}`,
    '--cgroup-parent',
    `/${host.cgroupParent}`,
    '--storage-driver',
    'overlay2',
    '--log-level',
    'warn',
    ...extraFlags,
  ];
}

const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

export const shellLine = (words: readonly string[]) => words.map(quote).join(' ');

/**
 * What process 1 of a host does, as a shell script: its own /sys, /proc, /run, /etc/docker and cgroup view, then the engine.
 * The order matters: cgroups must be bound before /sys is replaced and before / is made shared; an engine id is made from
 * /etc/docker/key.json, so hosts must not share that folder; FORWARD is DROP as on a real host, which dockerd leaves alone when
 * forwarding is already on.
 */
export function initScript(host: HostLayout, engineFlags: readonly string[]): string {
  const d = quote(host.directory);
  return `set -e
export PATH="$PATH:/usr/sbin:/sbin"
mount --make-rprivate /
if ! mountpoint -q /sys/fs/cgroup; then
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  for c in $(awk '!/^#/ && $4 == 1 { print $1 }' /proc/cgroups); do
    mkdir -p "/sys/fs/cgroup/$c"
    mount -t cgroup -o "$c" cgroup "/sys/fs/cgroup/$c" 2>/dev/null || rmdir "/sys/fs/cgroup/$c"
  done
fi
mkdir -p ${d}/cgroup ${d}/etc-docker /etc/docker
mount --rbind /sys/fs/cgroup ${d}/cgroup
umount -l /sys
mount -t sysfs sysfs /sys
mount --rbind ${d}/cgroup /sys/fs/cgroup
umount -l ${d}/cgroup
mount --bind ${d}/etc-docker /etc/docker
printf 'nameserver ${host.lab.gatewayAddress}\\n' > ${d}/resolv.conf
mount --bind ${d}/resolv.conf /etc/resolv.conf
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns /run/lock
mount --make-rshared /
hostname ${host.name}
iptables -P FORWARD DROP
exec tini -s -- sh -c ${quote(`${shellLine(engineCommand(host, engineFlags))} >>${quote(host.engineLog)} 2>&1 & while :; do wait; sleep 3600 & wait; done`)}
`;
}

/** Removes the control groups that the engine of a dead host left, from a mount namespace of its own where none are mounted. */
export function cgroupCleanScript(host: HostLayout): string {
  return `mount --make-rprivate /
if ! mountpoint -q /sys/fs/cgroup; then
  mount -t tmpfs tmpfs /sys/fs/cgroup
  for c in $(awk '!/^#/ && $4 == 1 { print $1 }' /proc/cgroups); do
    mkdir -p "/sys/fs/cgroup/$c"; mount -t cgroup -o "$c" cgroup "/sys/fs/cgroup/$c" 2>/dev/null || true
  done
fi
for round in 1 2 3 4 5 6 7 8 9 10; do
  left=$(find /sys/fs/cgroup -depth -type d \\( -path '*/${host.cgroupParent}/*' -o -name '${host.cgroupParent}' \\) 2>/dev/null)
  [ -n "$left" ] || exit 0
  echo "$left" | xargs -r rmdir 2>/dev/null || sleep 0.1
done
`;
}
