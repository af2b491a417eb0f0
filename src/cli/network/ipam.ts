import { contains, parseCIDR, parseIP } from '../../model/ip.js';
import { CliError } from '../base/errors.js';

export interface IPAMConfig {
  Subnet?: string;
  IPRange?: string;
  Gateway?: string;
  AuxiliaryAddresses?: Record<string, string>;
}

/**
 * One configuration a subnet, with the range, the gateway and the further addresses that lie in it. Throws in Docker's words when one
 * lies in none.
 */
export function consolidate(
  subnets: readonly string[],
  ranges: readonly string[],
  gateways: readonly string[],
  further: readonly (readonly [string, string])[],
): IPAMConfig[] {
  if (subnets.length < ranges.length || subnets.length < gateways.length) {
    throw new CliError('every ip-range or gateway must have a corresponding subnet');
  }
  const configs = subnets.map((Subnet): IPAMConfig => ({ Subnet }));
  const configOf = (address: string, missing: string) => {
    const number = parseCIDR(address)?.address ?? parseIP(address) ?? -1n;
    const config = configs.find(({ Subnet = '' }) => {
      const block = parseCIDR(Subnet)?.block;
      return block !== undefined && contains(block, number);
    });
    if (config === undefined) throw new CliError(missing);
    return config;
  };
  for (const range of ranges) {
    const config = configOf(range, `no matching subnet for range ${range}`);
    if (config.IPRange)
      throw new CliError(
        `cannot configure multiple ranges (${range}, ${config.IPRange}) on the same subnet (${config.Subnet})`,
      );
    config.IPRange = range;
  }
  for (const gateway of gateways) {
    const config = configOf(gateway, `no matching subnet for gateway ${gateway}`);
    if (config.Gateway)
      throw new CliError(
        `cannot configure multiple gateways (${gateway}, ${config.Gateway}) for the same subnet (${config.Subnet})`,
      );
    config.Gateway = gateway;
  }
  for (const [name, address] of further) {
    const config = configOf(address, `no matching subnet for aux-address ${address}`);
    config.AuxiliaryAddresses = { ...config.AuxiliaryAddresses, [name]: address };
  }
  return configs;
}
