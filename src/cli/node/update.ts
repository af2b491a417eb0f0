import type { CommandSpec } from '../base/command.js';
import { CliError } from '../base/errors.js';
import { list, text } from '../base/flag.js';
import { parseLabel } from '../base/labels.js';
import { dryRunFlag } from '../base/preview.js';
import { checkAvailability } from '../swarm/flags.js';
import { updateNodes } from './common.js';

const availabilityFlag = text('availability', 'Availability of the node ("active", "pause", "drain")');
const labelAddFlag = list('label-add', 'Add or update a node label ("key=value")', parseLabel);
const labelRmFlag = list('label-rm', 'Remove a node label if exists', (key) => key);
const roleFlag = text('role', 'Role of the node ("worker", "manager")');

/** `shoal node update` */
export const nodeUpdate: CommandSpec = {
  usage: '[OPTIONS] NODE',
  operands: { min: 1, max: 1 },
  flags: [availabilityFlag, labelAddFlag, labelRmFlag, roleFlag, dryRunFlag],
  async run(context, values, references) {
    const role = values.get(roleFlag)?.toLowerCase();
    if (role !== undefined && role !== 'worker' && role !== 'manager') {
      throw new CliError(`invalid role ${JSON.stringify(role)}, only worker and manager are supported`);
    }
    const availability = values.get(availabilityFlag);
    await updateNodes(
      context,
      references,
      ({ Spec = {} }) => {
        const labels: Record<string, string> = {
          ...Spec.Labels,
          ...Object.fromEntries(values.get(labelAddFlag) ?? []),
        };
        for (const key of values.get(labelRmFlag) ?? []) {
          if (labels[key] === undefined) throw new CliError(`key ${key} doesn't exist in node's labels`);
          delete labels[key];
        }
        return {
          ...Spec,
          Labels: labels,
          ...(role === undefined ? {} : { Role: role }),
          ...(availability === undefined ? {} : { Availability: checkAvailability(availability) }),
        };
      },
      (reference) => reference,
      values.get(dryRunFlag),
    );
  },
};
