import { randomUUID } from 'node:crypto';

import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import { Histogram } from 'prom-client';

import { maskNumber } from '../call/phone-number';
import type { Logger } from '../log';
import { momentBuckets, registry } from '../metrics';
import { isUuid, type ApiEnv } from './endpoint';
import { securityHeaders } from './security-headers';

/** Asked every few seconds by machines; their lines would drown the others. */
const quietPaths = new Set(['/health', '/ready', '/metrics']);

const requestSeconds = new Histogram({
  name: 'orchestrator_http_request_duration_seconds',
  help: 'Until the answer began, by the route as it is written in the table of routes; none for what is no route',
  labelNames: ['method', 'route', 'status'],
  buckets: momentBuckets,
  registers: [registry],
});

/** Gives each request its id, its security headers and its line in the log. */
export function requestContext(log: Logger): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const startedAt = performance.now();
    const given = c.req.header('X-Request-Id');
    // Only what can neither forge a line of a log nor fill it.
    const requestId = given !== undefined && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
    c.set('requestId', requestId);
    c.header('X-Request-Id', requestId);
    for (const [name, value] of Object.entries(securityHeaders)) c.header(name, value);

    await next();

    const seconds = (performance.now() - startedAt) / 1_000;
    const route = routePath(c, -1);
    requestSeconds.observe(
      { method: c.req.method, route: route === '/*' ? 'none' : route, status: c.res.status },
      seconds,
    );
    const line = {
      method: c.req.method,
      path: maskNumbers(c.req.path),
      status: c.res.status,
      ms: Math.round(seconds * 1_000),
      requestId,
      keyId: c.get('keyId'),
      callId: c.get('callId'),
      attempt: c.get('attempt'),
    };
    if (quietPaths.has(c.req.path)) log.debug(line, 'request');
    else log.info(line, 'request');
  };
}

/** A number that a client put where an id belongs must not be logged in full either. */
export function maskNumbers(path: string): string {
  return path
    .split('/')
    .map((segment) => (isUuid(segment) ? segment : segment.replace(/\d{7,}/g, maskNumber)))
    .join('/');
}
