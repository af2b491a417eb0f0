/** Where a line gives something else than with Docker, and why that is meant. */
export interface KnownDifference {
  what: string;
  why: string;
  /** Which lines; all when not given. */
  line?: RegExp;
  /** Which places of what they give, as `differences` writes them. */
  place: RegExp;
  /** Holds of what both give at that place. */
  holds?: (theirs: string, ours: string) => boolean;
  /** Docker does so only at times: that it did not once is no news. */
  isRare?: true;
}

export const knownDifferences: readonly KnownDifference[] = [
  {
    what: 'refusals',
    why: 'are Docker’s words without `rpc error: code = … desc =` before them, and with the field and what is allowed there behind them',
    place: /^stderr\[\d+\]: /,
    holds: (theirs, ours) => {
      const words = theirs.replace(/rpc error: code = \w+ desc = /, '');
      return (
        ours === words ||
        (ours.startsWith(words) && /^(, expected one of [^()]*| \([^)]*\))$/.test(ours.slice(words.length)))
      );
    },
  },
  {
    what: '`swarm join` without a token, or with a wrong one',
    why: 'is refused before anybody is asked',
    line: /^swarm join \{A\}/,
    place: /^stderr\[0\]/,
  },
  {
    what: 'values of a service that no engine takes (a relative bind source, an unknown isolation, a negative stop grace period)',
    why: 'are refused at once; Docker takes the service, whose tasks then fail one after the other',
    line: /--name (relative|isolated|hasty) |rm isolated relative hasty/,
    place: /^(code|stdout|stderr)/,
  },
  {
    what: 'a negative task history limit',
    why: 'is refused; Docker then keeps every task that there ever was',
    line: /^swarm update --task-history-limit -/,
    place: /^(code|stdout|stderr)/,
  },
  {
    what: 'the network `ingress`',
    why: 'is not there: published ports need no network of their own',
    line: /^network ls/,
    place: /^stdout: .*"ingress/,
  },
  {
    what: 'subnets and addresses given by the cluster',
    why: 'are the lowest that are free; in Docker the first subnet is that of `ingress`, and virtual IPs are the lowest',
    place: /(IPAM\.Config\[0\]\.(Subnet|Gateway)|VirtualIPs\[\d\]\.Addr): "10\./,
  },
  {
    what: '`network inspect` of a network of the cluster',
    why: 'shows its auxiliary addresses, and no VXLAN ids: there is one VXLAN for all networks, and one for all that are encrypted',
    line: /^network inspect/,
    place: /vxlanid_list|com\.docker\.network\.ipam\.serial|AuxiliaryAddresses/,
  },
  {
    what: '`network create --opt encrypted`',
    why: "is refused with what is missing where no node's kernel can encrypt; Docker makes it, and its tasks then fail. Tasks run where it can",
    isRare: true,
    line: /^network create .*--opt encrypted/,
    place: /^(code|stdout|stderr)/,
  },
  {
    what: 'services on the networks `host` and `bridge`',
    why: 'name them by their names; Docker makes networks of the cluster that stand for them, with ids of their own',
    line: /^service inspect onbridge/,
    place: /Networks\[0\]\.Target|Endpoint\./,
  },
  {
    what: 'a network whose subnet overlaps another’s',
    why: 'is refused; Docker makes it, and its tasks then wait for addresses without end',
    line: /^network (create|rm) .*overlapping/,
    place: /^(code|stdout|stderr)/,
  },
  {
    what: 'overlay networks configured from another network (`--config-from`)',
    why: 'are refused: there is nothing in such a configuration that an overlay network of ours could take',
    line: /^network create .*--config-from/,
    place: /^stderr/,
  },
  {
    what: 'networks made to be the ingress network',
    why: 'are refused as not supported',
    line: /^network create -d overlay --ingress/,
    place: /^(code|stdout|stderr)/,
  },
  {
    what: '`events --filter config=NAME`',
    why: 'gives events of configs; Docker gives those of secrets of that name as well',
    isRare: true,
    line: /^events .*config=noted/,
    place: /^stdout/,
  },
];

/** Flags that no line uses, and why. */
export const untried: Readonly<Record<string, string>> = {
  '--orchestrator': 'of clients that knew Kubernetes as well; it changes nothing here',
};

/** Whether a difference is meant: what it is, or undefined. */
export function knownAs(line: string, difference: string): string | undefined {
  const [theirs = '', ours = ''] = difference
    .slice(difference.indexOf(': ') + 2)
    .split(' ≠ ')
    .map((text) => text.replace(/^"|"$/g, ''));
  return knownDifferences.find(
    (one) =>
      one.place.test(difference) &&
      (one.line === undefined || one.line.test(line)) &&
      (one.holds === undefined || one.holds(theirs, ours)),
  )?.what;
}
