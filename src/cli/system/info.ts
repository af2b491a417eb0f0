import type { CommandSpec } from '../base/command.js';
import { readTemplate } from '../base/format.js';
import { inspectFormatFlag } from '../base/inspect.js';
import { formatBytes } from '../base/units.js';
import { shoalVersion } from '../base/version.js';
import { describeSwarm, type SwarmInfo } from './swarm-info.js';

/** What GET /info answers, as far as the command line reads it. */
export interface Info {
  ID?: string;
  Containers?: number;
  ContainersRunning?: number;
  ContainersPaused?: number;
  ContainersStopped?: number;
  Images?: number;
  Driver?: string;
  Name?: string;
  ServerVersion?: string;
  OperatingSystem?: string;
  OSType?: string;
  Architecture?: string;
  KernelVersion?: string;
  NCPU?: number;
  MemTotal?: number;
  DockerRootDir?: string;
  Labels?: string[] | null;
  Warnings?: string[] | null;
  Swarm?: SwarmInfo;
}

/** `shoal info` */
export const info: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: [inspectFormatFlag],
  async run(context, values) {
    const format = values.get(inspectFormatFlag) ?? '';
    const answer = await context.client.get<Info>('/info');
    if (format === 'json') context.out.write(`${JSON.stringify(answer)}\n`);
    else if (format !== '') context.out.write(`${(await readTemplate(format))(answer)}\n`);
    else {
      context.out.write(describe(answer));
      for (const warning of answer.Warnings ?? []) context.err.write(`${warning}\n`);
    }
  },
};

function describe(answer: Info): string {
  const lines = ['Client:', ` Version:    ${shoalVersion()}`, '', 'Server:'];
  const add = (name: string, value: string | number | undefined) => {
    if (value !== undefined && value !== '') lines.push(` ${name}: ${value}`);
  };
  add('Containers', answer.Containers);
  add(' Running', answer.ContainersRunning);
  add(' Paused', answer.ContainersPaused);
  add(' Stopped', answer.ContainersStopped);
  add('Images', answer.Images);
  add('Server Version', answer.ServerVersion);
  add('Storage Driver', answer.Driver);
  if (answer.Swarm !== undefined) lines.push(...describeSwarm(answer.Swarm).map((line) => ` ${line}`));
  add('Kernel Version', answer.KernelVersion);
  add('Operating System', answer.OperatingSystem);
  add('OSType', answer.OSType);
  add('Architecture', answer.Architecture);
  add('CPUs', answer.NCPU);
  add('Total Memory', answer.MemTotal === undefined ? undefined : formatBytes(answer.MemTotal));
  add('Name', answer.Name);
  add('ID', answer.ID);
  add('Docker Root Dir', answer.DockerRootDir);
  if ((answer.Labels ?? []).length > 0) lines.push(' Labels:', ...answer.Labels!.map((label) => `  ${label}`));
  return `${lines.join('\n')}\n`;
}
