import type { NodeSpec } from '../types.js';
import { checkOneOf, checkPlain, refuse, shown } from './check.js';
import { checkObjectLabels } from './names.js';

/** A node's spec: both of role and availability must be given, as in Docker. */
export function validateNodeSpec(spec: NodeSpec, where = 'Spec'): void {
  checkPlain(`${where}.Name`, spec.Name);
  if (spec.Name.length > 255) refuse(`${where}.Name`, 'must be 255 characters or fewer');
  checkObjectLabels(where, spec.Labels);
  if (spec.Role === '') refuse(`${where}.Role`, 'invalid Role: "", expected one of worker, manager');
  checkOneOf(`${where}.Role`, spec.Role, ['worker', 'manager'], `invalid Role: ${shown(spec.Role)}`);
  if (spec.Availability === '') {
    refuse(`${where}.Availability`, 'invalid Availability: "", expected one of active, pause, drain');
  }
  const words = `invalid Availability: ${shown(spec.Availability)}`;
  checkOneOf(`${where}.Availability`, spec.Availability, ['active', 'pause', 'drain'], words);
}
