import type { CAConfig, SwarmSpec } from '../types.js';
import { checkLabels, checkNotNegative, checkOneOf, checkPlain, refuse, refuseAs } from './check.js';
import { checkObjectLabels } from './names.js';

const nanosecondsAnHour = 3600 * 1e9;

/** The settings of the cluster. Throws `invalid-argument` that names the field, or `not-supported`. */
export function validateSwarmSpec(spec: SwarmSpec, where = 'Spec'): void {
  if (spec.Name !== '' && spec.Name !== 'default') refuseAs('swarm spec must be named "default"', `${where}.Name`);
  checkObjectLabels(where, spec.Labels);
  const history = spec.Orchestration?.TaskHistoryRetentionLimit;
  if (history !== undefined) checkNotNegative(`${where}.Orchestration.TaskHistoryRetentionLimit`, history);
  if ((spec.Dispatcher?.HeartbeatPeriod ?? 0) < 0) {
    refuseAs('heartbeat time period cannot be a negative duration', `${where}.Dispatcher.HeartbeatPeriod`);
  }
  const { ElectionTick: election = 0, HeartbeatTick: heartbeat = 0 } = spec.Raft ?? {};
  checkNotNegative(`${where}.Raft.ElectionTick`, election);
  checkNotNegative(`${where}.Raft.HeartbeatTick`, heartbeat);
  if (election > 0 && heartbeat > 0 && election <= heartbeat) {
    refuse(`${where}.Raft.ElectionTick`, `${election} must be above HeartbeatTick (${heartbeat})`);
  }
  if (spec.CAConfig) checkCA(`${where}.CAConfig`, spec.CAConfig);
  if (spec.TaskDefaults?.LogDriver) {
    checkPlain(`${where}.TaskDefaults.LogDriver.Name`, spec.TaskDefaults.LogDriver.Name);
    checkLabels(`${where}.TaskDefaults.LogDriver.Options`, spec.TaskDefaults.LogDriver.Options);
  }
}

function checkCA(where: string, config: CAConfig): void {
  const expiry = config.NodeCertExpiry;
  if (expiry !== 0 && expiry < nanosecondsAnHour) {
    refuseAs('minimum certificate expiry time is: 1h0m0s', `${where}.NodeCertExpiry`);
  }
  for (const [at, ca] of config.ExternalCAs.entries()) {
    checkOneOf(`${where}.ExternalCAs[${at}].Protocol`, ca.Protocol, ['', 'cfssl']);
    if (!URL.canParse(ca.URL) || new URL(ca.URL).protocol !== 'https:') {
      refuse(`${where}.ExternalCAs[${at}].URL`, 'must be an https:// URL');
    }
    if (ca.CACert !== '' && !/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.test(ca.CACert)) {
      refuse(`${where}.ExternalCAs[${at}].CACert`, "must be the CA's certificate in PEM");
    }
  }
}
