import { goTime } from '../base/go-time.js';
import { formatBytes, formatCpus } from '../base/units.js';
import type { Node } from '../base/wire.js';

const capital = (word: string | undefined) => (word ? word.charAt(0).toUpperCase() + word.slice(1) : '');

/** A node in Docker's layout for people. */
export function describeNode(node: Node): string {
  const { Description: description = {}, ManagerStatus: manager } = node;
  const lines = [
    `ID:\t\t\t${node.ID ?? ''}`,
    ...(node.Spec?.Name ? [`Name:\t\t\t${node.Spec.Name}`] : []),
    ...labelLines('Labels:', node.Spec?.Labels),
    `Hostname:              \t${description.Hostname ?? ''}`,
    `Joined at:             \t${goTime(node.CreatedAt)}`,
    'Status:',
    ` State:\t\t\t${capital(node.Status?.State)}`,
    ...(node.Status?.Message ? [` Message:\t\t${node.Status.Message}`] : []),
    ` Availability:         \t${capital(node.Spec?.Availability)}`,
    ...(node.Status?.Addr ? [` Address:\t\t${node.Status.Addr}`] : []),
  ];
  if (manager) {
    lines.push(
      'Manager Status:',
      ` Address:\t\t${manager.Addr ?? ''}`,
      ` Raft Status:\t\t${capital(manager.Reachability)}`,
    );
    lines.push(` Leader:\t\t${manager.Leader ? 'Yes' : 'No'}`);
  }
  lines.push(
    'Platform:',
    ` Operating System:\t${description.Platform?.OS ?? ''}`,
    ` Architecture:\t\t${description.Platform?.Architecture ?? ''}`,
    'Resources:',
    ` CPUs:\t\t\t${formatCpus(description.Resources?.NanoCPUs ?? 0)}`,
    ` Memory:\t\t${formatBytes(description.Resources?.MemoryBytes ?? 0)}`,
    ...pluginLines(node),
    `Engine Version:\t\t${description.Engine?.EngineVersion ?? ''}`,
    ...labelLines('Engine Labels:', description.Engine?.Labels),
  );
  const tls = description.TLSInfo;
  if (tls?.TrustRoot) {
    lines.push('TLS Info:', ' TrustRoot:', tls.TrustRoot);
    lines.push(
      ` Issuer Subject:\t${tls.CertIssuerSubject ?? ''}`,
      ` Issuer Public Key:\t${tls.CertIssuerPublicKey ?? ''}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function labelLines(title: string, labels: Readonly<Record<string, string>> | null | undefined): string[] {
  const entries = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? [] : [title, ...entries.map(([key, value]) => ` - ${key}=${value}`)];
}

function pluginLines(node: Node): string[] {
  const byType = new Map<string, string[]>();
  for (const { Type = '', Name = '' } of node.Description?.Engine?.Plugins ?? []) {
    byType.set(Type, [...(byType.get(Type) ?? []), Name]);
  }
  const types = [...byType].sort(([a], [b]) => (a < b ? -1 : 1));
  return types.length === 0 ? [] : ['Plugins:', ...types.map(([type, names]) => ` ${type}:\t\t${names.join(', ')}`)];
}
