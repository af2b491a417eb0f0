import type { Route } from './router.js';

/** System-wide endpoints: ping. */
export const systemRoutes: readonly Route[] = (['GET', 'HEAD'] as const).map((method) => ({
  method,
  pattern: '/_ping',
  async handle(_api, { response, request }) {
    response.writeHead(200, {
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': 2,
      'Cache-Control': 'no-cache, no-store, must-revalidate',
      Pragma: 'no-cache',
    });
    response.end(request.method === 'HEAD' ? undefined : 'OK');
  },
}));
