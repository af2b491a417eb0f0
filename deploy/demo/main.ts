import { parseArgs } from 'node:util';
import type { Host } from '../../src/lab/host.js';
import { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/run.js';
import { messageOf } from '../../src/model/errors.js';
import { ask, askPort, say, shoal, startLoad } from './stage.js';

const port = 8080;
const healed_ms_max = 60_000;

const usage = `npm run demo -- [--keep] [--shared-engine]
  --keep           leave the cluster up, and say how to use it
  --shared-engine  without root: three daemons that share the Docker Engine at /var/run/docker.sock`;

const options = flagsGiven();
if (options === undefined) process.exitCode = 1;
else if (options.help) console.log(usage);
else process.exitCode = await demo(options);

/** Undefined, and the user told, when there is one that we do not know. */
function flagsGiven() {
  try {
    const { values } = parseArgs({
      options: { keep: { type: 'boolean' }, 'shared-engine': { type: 'boolean' }, help: { type: 'boolean' } },
    });
    return values;
  } catch (error) {
    console.error(`demo: ${messageOf(error)}\n\n${usage}`);
    return undefined;
  }
}

async function demo(options: NonNullable<ReturnType<typeof flagsGiven>>): Promise<number> {
  const began = performance.now();
  let lab: Lab | undefined;
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
    console.error('\ninterrupted: taking everything down');
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    say(
      options['shared-engine']
        ? 'Three daemons on one Docker Engine'
        : 'Three hosts on this machine, each with a Docker Engine of its own',
    );
    lab = await Lab.up({
      name: 'demo',
      hosts: 3,
      sharedEngine: options['shared-engine'] ? '/var/run/docker.sock' : undefined,
      engineFlags: [],
      daemonFlags: [],
    });
    for (const host of lab.hosts) console.log(`${host.name}  ${host.address}  ${host.apiSocket}`);
    for (const act of [formCluster, deploy, change, loseNode, remove]) {
      if (interrupted) return 130;
      if (act === remove && options.keep) break;
      await act(lab);
    }
    say(`Done in ${Math.round((performance.now() - began) / 1000)} s`);
    if (options.keep && !interrupted) {
      const host = lab.hosts[1] as Host;
      console.log(`The cluster stays up. Use it:  SHOAL_HOST=unix://${host.apiSocket} bin/shoal service ls
Boot the lost node again:      bin/shoal lab start --name demo node1
End it:                        bin/shoal lab down --name demo`);
      lab = undefined;
    }
    return 0;
  } catch (error) {
    console.error(`\ndemo: ${messageOf(error)}`);
    return 1;
  } finally {
    await lab?.down();
  }
}

async function formCluster({ hosts }: Lab): Promise<void> {
  const [first, ...others] = hosts as [Host, ...Host[]];
  say('The first node makes the cluster, the others join as managers by token');
  await shoal(first, 'swarm', 'init');
  const token = await ask(first, 'swarm', 'join-token', '-q', 'manager');
  for (const host of others) await shoal(host, 'swarm', 'join', '--token', token, `${first.address}:2377`);
  await waitFor(
    async () =>
      (await ask(first, 'node', 'ls', '--format', '{{.Status}} {{.ManagerStatus}}')).match(/Ready (Leader|Reachable)/g)
        ?.length === hosts.length || undefined,
    healed_ms_max,
  );
  await shoal(first, 'node', 'ls');
}

async function deploy(lab: Lab): Promise<void> {
  const [first] = lab.hosts as [Host];
  say('A service of three replicas, published on port 8080 of every node');
  await shoal(first, 'service', 'create', '--name', 'web', '--replicas', '3', '-p', `${port}:80`, 'shoal/web:1');
  await shoal(first, 'service', 'ls');
  await shoal(first, 'service', 'ps', 'web');
  say('Every node answers, from different replicas');
  await askPort(lab, lab.hosts, port);
}

async function change(lab: Lab): Promise<void> {
  const [first, second] = lab.hosts as [Host, Host];
  say('Scale up, asked of a manager that does not lead');
  await shoal(second, 'service', 'scale', 'web=9');
  say('Update the image while requests keep coming');
  const load = await startLoad(
    lab,
    lab.hosts.map((host) => `http://${host.address}:${port}/`),
  );
  await shoal(first, 'service', 'update', '--image', 'shoal/web:2', '--update-parallelism', '3', 'web');
  const report = await load.stop();
  console.log(
    `${report.requests} requests during the update, ${report.failed} failed; answers: ${JSON.stringify(report.answers)}`,
  );
  for (const [error, times] of Object.entries(report.errors)) console.log(`  ${times} × ${error}`);
  await shoal(first, 'service', 'ps', '--filter', 'desired-state=running', 'web');
}

async function loseNode(lab: Lab): Promise<void> {
  const [first, second, ...others] = lab.hosts as [Host, Host, ...Host[]];
  say(`Cut the power of ${first.name}, which leads: a new leader is elected and the tasks move`);
  const cut = performance.now();
  await first.crash();
  const healed = await waitFor(async () => {
    const running = await ask(
      second,
      'service',
      'ps',
      'web',
      '--filter',
      'desired-state=running',
      '--format',
      '{{.Node}} {{.CurrentState}}',
    ).catch(() => '');
    const lines = running.split('\n').filter((line) => line.includes('Running') && !line.startsWith(`${first.name} `));
    return lines.length === 9 || undefined;
  }, healed_ms_max);
  if (!healed) throw new Error('the tasks of the lost node did not move');
  console.log(`9 of 9 run again after ${((performance.now() - cut) / 1000).toFixed(1)} s`);
  await shoal(second, 'node', 'ls');
  await shoal(second, 'service', 'ps', '--filter', 'desired-state=running', 'web');
  say('The port still answers on the others');
  await askPort(lab, [second, ...others], port);
}

async function remove(lab: Lab): Promise<void> {
  const second = lab.hosts[1] as Host;
  say('Remove the service');
  await shoal(second, 'service', 'rm', 'web');
  await shoal(second, 'service', 'ls');
}
