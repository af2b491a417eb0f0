import { BlockList, isIP } from 'node:net';
import { ShoalError } from './errors.js';
import type { Node } from './types.js';

/** One placement constraint, such as `node.labels.zone!=west`, taken apart. */
export interface Constraint {
  key: string;
  operator: '==' | '!=';
  value: string;
}

const operators = ['==', '!='] as const;
const keyPattern = /^[a-z_][a-z0-9\-_.]+$/i;
// Leaves out what may become an operator one day, such as `>`, `<`, `~`, as Docker does.
const valuePattern = /^[a-z0-9:\-_\s.*()?+[\]\\^$|/]+$/i;
const nodeLabels = 'node.labels.';
const engineLabels = 'engine.labels.';

/**
 * Takes placement constraints apart. Throws `invalid-argument` in Docker's words for one that is malformed. A key that names
 * nothing Docker knows is well formed and matches no node, as in Docker.
 */
export function parseConstraints(expressions: readonly string[]): Constraint[] {
  return expressions.map(parseConstraint);
}

function parseConstraint(expression: string): Constraint {
  for (const operator of operators) {
    const at = expression.indexOf(operator);
    if (at < 0) continue;
    const key = expression.slice(0, at).trim();
    const value = expression.slice(at + operator.length).trim();
    if (!keyPattern.test(key)) throw new ShoalError('invalid-argument', `key '${key}' is invalid`);
    if (!valuePattern.test(value)) throw new ShoalError('invalid-argument', `value '${value}' is invalid`);
    return { key, operator, value };
  }
  throw new ShoalError('invalid-argument', `constraint expected one operator from ${operators.join(', ')}`);
}

/** Whether the node satisfies all the constraints. Values compare without regard to case; label names do regard it. */
export function satisfies(node: Node, constraints: readonly Constraint[]): boolean {
  return constraints.every((constraint) => satisfiesOne(node, constraint));
}

function satisfiesOne(node: Node, constraint: Constraint): boolean {
  const key = constraint.key.toLowerCase();
  const description = node.Description;
  switch (key) {
    case 'node.id':
      return holds(constraint, node.ID);
    case 'node.hostname':
      return holds(constraint, description?.Hostname ?? '');
    case 'node.role':
      return holds(constraint, node.Spec?.Role ?? '');
    case 'node.ip':
      return addressHolds(constraint, node.Status?.Addr ?? '');
    case 'node.platform.os':
      return holds(constraint, description?.Platform?.OS ?? '');
    case 'node.platform.arch':
      return holds(constraint, description?.Platform?.Architecture ?? '');
  }
  if (key.startsWith(nodeLabels)) {
    return holds(constraint, labelOf(node.Spec?.Labels, constraint.key.slice(nodeLabels.length)));
  }
  if (key.startsWith(engineLabels)) {
    return holds(constraint, labelOf(description?.Engine?.Labels, constraint.key.slice(engineLabels.length)));
  }
  return false;
}

/** A label that is not there counts as empty. Label names come from users, so what every object inherits is no label. */
export function labelOf(labels: Readonly<Record<string, string>> | undefined, name: string): string {
  return labels !== undefined && Object.hasOwn(labels, name) ? labels[name]! : '';
}

function holds(constraint: Constraint, actual: string): boolean {
  return (constraint.value.toLowerCase() === actual.toLowerCase()) === (constraint.operator === '==');
}

/** `node.ip` takes an address or a subnet. One that is neither matches no node, whatever the operator. */
function addressHolds(constraint: Constraint, actual: string): boolean {
  const subnet = subnetOf(constraint.value);
  if (subnet === undefined) return false;
  const family = isIP(actual);
  const inside = family !== 0 && subnet.check(actual, family === 6 ? 'ipv6' : 'ipv4');
  return inside === (constraint.operator === '==');
}

function subnetOf(text: string): BlockList | undefined {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return undefined;
  const widest = family === 6 ? 128 : 32;
  if (prefix !== undefined && (!/^\d{1,3}$/.test(prefix) || Number(prefix) > widest)) return undefined;
  const subnet = new BlockList();
  subnet.addSubnet(address, prefix === undefined ? widest : Number(prefix), family === 6 ? 'ipv6' : 'ipv4');
  return subnet;
}
