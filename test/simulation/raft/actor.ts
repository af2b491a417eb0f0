import type { World } from '../world.js';
import type { Group } from './group.js';
import type { Network } from './network.js';
import type { Process } from './process.js';
import type { Profile } from './profile.js';

/** Somebody who does something to the members, or to the network between them. */
export abstract class Actor {
  constructor(protected readonly group: Group) {}

  protected get world(): World {
    return this.group.world;
  }
  protected get network(): Network {
    return this.group.network;
  }
  protected get profile(): Profile {
    return this.group.profile;
  }
  protected get processes(): readonly Process[] {
    return this.group.processes;
  }
}
