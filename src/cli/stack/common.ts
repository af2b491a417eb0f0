import type { Context } from '../base/context.js';
import { filtersQuery } from '../base/filter.js';
import type { Config, Secret, Service } from '../base/wire.js';
import { ofStack } from './names.js';

export interface Network {
  Id: string;
  Name: string;
  Scope?: string;
}

const query = (stack: string) => ({ query: { filters: filtersQuery([ofStack(stack)]) } });

/** What belongs to a stack, of each kind. */
export const servicesOf = (context: Context, stack: string) => context.client.get<Service[]>('/services', query(stack));
export const networksOfStack = (context: Context, stack: string) =>
  context.client.get<Network[]>('/networks', query(stack));
export const secretsOf = (context: Context, stack: string) => context.client.get<Secret[]>('/secrets', query(stack));
export const configsOf = (context: Context, stack: string) => context.client.get<Config[]>('/configs', query(stack));
