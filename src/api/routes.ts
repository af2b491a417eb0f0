import { containerNetworkRoutes } from './container-networks.js';
import { eventRoutes } from './events.js';
import { logRoutes } from './logs.js';
import { networkRoutes } from './networks.js';
import { nodeRoutes } from './nodes.js';
import type { Route } from './router.js';
import { serviceRoutes } from './services.js';
import { storedFileRoutes } from './stored-files.js';
import { swarmRoutes } from './swarm.js';
import { systemRoutes } from './system.js';
import { taskRoutes } from './tasks.js';

/** Every endpoint that we answer ourselves. */
export const routes: readonly Route[] = [
  ...systemRoutes,
  ...eventRoutes,
  ...swarmRoutes,
  ...nodeRoutes,
  ...serviceRoutes,
  ...taskRoutes,
  ...logRoutes,
  ...storedFileRoutes('Secret'),
  ...storedFileRoutes('Config'),
  ...networkRoutes,
  ...containerNetworkRoutes,
];
