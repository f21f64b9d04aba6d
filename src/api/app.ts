import { OpenAPIHono } from '@hono/zod-openapi';
import { cors } from 'hono/cors';

import { CallError } from '../call/errors';
import { callbackPath } from '../call/names';
import { requestSchemas, type RequestPolicy } from '../call/request';
import { EventTail } from '../events/event-tail';
import type { Logger } from '../log';
import { MatchCounter } from '../store/call-list';
import { authorization, type AuthorizeDeps } from './authorize';
import { getBoard } from './board';
import { getControl, postPause, postResume } from './control';
import { deletePersonalData, postCancel, postRetry, type CallActionDeps } from './call-actions';
import { postBatch, type CallBatchDeps } from './call-batch';
import { exportCalls } from './call-export';
import { importCalls, type CallImportDeps } from './call-import';
import { getCalls } from './call-list';
import { getReports } from './call-reports';
import { receiveCallStatus, type CallbackDeps } from './callbacks';
import { getAttempts, getCall, getEvents, patchCall, postCall, type CallsDeps } from './calls';
import { postDecode, postEncode, type CodecDeps } from './codec';
import { bearerDescription, bearerScheme, describeAccess } from './describe-access';
import { documentOf } from './document';
import type { ApiEnv, Endpoint } from './endpoint';
import { getDescription, getDocs, serveAssetsOfDocs } from './docs';
import { streamCallEvents, streamEvents, type EventStreamDeps } from './event-streams';
import { getHealth, getReadiness, type DependencyChecks } from './health';
import { getMetrics } from './metrics';
import type { RecordMetricsDeps } from './record-metrics';
import { getPage, serveAssetsOfPage, type PageDeps } from './page';
import { renderError } from './render-error';
import { requestContext } from './request-context';
import { getStatistics } from './statistics';
import { getDeliveries, getDelivery, postRedeliver } from './webhook-deliveries';
import {
  getEndpoint,
  getEndpoints,
  patchEndpoint,
  postDisable,
  postEnable,
  postEndpoint,
  postRotateSecret,
  removeEndpoint,
} from './webhook-endpoints';

export type ApiDeps = Omit<CallsDeps, 'schemas'> &
  CallActionDeps &
  CallbackDeps &
  AuthorizeDeps &
  RecordMetricsDeps &
  Omit<CallBatchDeps, 'schemas'> &
  Omit<CallImportDeps, 'schemas'> &
  Omit<EventStreamDeps, 'schemas' | 'tail'> &
  PageDeps &
  CodecDeps & { config: RequestPolicy; log: Logger; checks: DependencyChecks };

export type Api = OpenAPIHono<ApiEnv>;

type Row = [method: 'get' | 'post' | 'patch' | 'delete', path: string, endpoint: Endpoint];

/** The API: every route, and what becomes of requests that are none's. */
export function createApp(apiDeps: ApiDeps): Api {
  const deps = {
    ...apiDeps,
    schemas: requestSchemas(apiDeps.config),
    matches: new MatchCounter(apiDeps.db),
    tail: new EventTail(apiDeps),
  };
  const app: Api = new OpenAPIHono<ApiEnv>();
  const table: Row[] = [
    ['post', '/calls', postCall(deps)],
    ['get', '/calls', getCalls(deps)],
    // Before /calls/{id}, of which each of these would be one.
    ['get', '/calls/export', exportCalls(deps)],
    ['get', '/calls/stream', streamEvents(deps)],
    ['post', '/calls/batch', postBatch(deps)],
    ['post', '/calls/import', importCalls(deps)],
    ['get', '/calls/{id}', getCall(deps)],
    ['patch', '/calls/{id}', patchCall(deps)],
    ['get', '/calls/{id}/attempts', getAttempts(deps)],
    ['get', '/calls/{id}/events', getEvents(deps)],
    ['get', '/calls/{id}/reports', getReports(deps)],
    ['get', '/calls/{id}/stream', streamCallEvents(deps)],
    ['post', '/calls/{id}/cancel', postCancel(deps)],
    ['post', '/calls/{id}/retry', postRetry(deps)],
    ['delete', '/calls/{id}/personal-data', deletePersonalData(deps)],
    ['post', callbackPath, receiveCallStatus(deps)],
    ['post', '/codec/decode', postDecode(deps)],
    ['post', '/codec/encode', postEncode(deps)],
    ['post', '/webhook-endpoints', postEndpoint(deps)],
    ['get', '/webhook-endpoints', getEndpoints(deps)],
    ['get', '/webhook-endpoints/{id}', getEndpoint(deps)],
    ['patch', '/webhook-endpoints/{id}', patchEndpoint(deps)],
    ['delete', '/webhook-endpoints/{id}', removeEndpoint(deps)],
    ['post', '/webhook-endpoints/{id}/rotate-secret', postRotateSecret(deps)],
    ['post', '/webhook-endpoints/{id}/enable', postEnable(deps)],
    ['post', '/webhook-endpoints/{id}/disable', postDisable(deps)],
    ['get', '/webhook-deliveries', getDeliveries(deps)],
    ['get', '/webhook-deliveries/{id}', getDelivery(deps)],
    ['post', '/webhook-deliveries/{id}/redeliver', postRedeliver(deps)],
    ['get', '/control', getControl(deps)],
    ['post', '/control/pause', postPause(deps)],
    ['post', '/control/resume', postResume(deps)],
    ['get', '/board', getBoard(deps)],
    ['get', '/statistics', getStatistics(deps)],
    ['get', '/metrics', getMetrics(deps)],
    ['get', '/health', getHealth()],
    ['get', '/ready', getReadiness(deps.checks)],
    ['get', '/openapi.json', getDescription(() => documentOf(app))],
    ['get', '/docs', getDocs()],
    ['get', '/', getPage(deps)],
  ];
  app.use(requestContext(deps.log));
  allowOrigins(app, deps.config.CORS_ORIGINS);
  addEndpoints(app, table, deps);
  serveAssetsOfDocs(app);
  serveAssetsOfPage(app);
  for (const path of new Set(app.routes.filter(({ method }) => method === 'GET').map((route) => route.path))) {
    refuseOtherMethods(app, path);
  }
  app.notFound((c) => renderError(c, new CallError('ROUTE_NOT_FOUND'), deps.log));
  app.onError((error, c) => renderError(c, error, deps.log));
  return app;
}

/** Browsers let pages of these origins read the answers; without any, those of this server's alone. */
function allowOrigins(app: Api, origins: readonly string[] | undefined): void {
  if (!origins) return;
  const ofLimits = ['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset', 'Retry-After'];
  const exposeHeaders = ['Location', 'Idempotency-Replayed', 'X-Request-Id', ...ofLimits];
  app.use(cors({ origin: [...origins], exposeHeaders, maxAge: 600 }));
}

function addEndpoints(app: Api, table: Row[], deps: AuthorizeDeps): void {
  const authorize = authorization(deps);
  app.openAPIRegistry.registerComponent('securitySchemes', bearerScheme, bearerDescription);
  for (const path of new Set(table.map(([, path]) => path))) {
    for (const [method, , endpoint] of table.filter((row) => row[1] === path)) {
      const { access, handle } = endpoint;
      app.openAPIRegistry.registerPath({ ...describeAccess(endpoint, deps.config.API_KEYS), method, path });
      app.on(method.toUpperCase(), routingPath(path), async (c) => {
        if (access !== 'open') await authorize(c, access);
        return handle(c);
      });
    }
    refuseOtherMethods(app, routingPath(path));
  }
}

/** After a path's routes: what comes this far came with a method that it has not. */
function refuseOtherMethods(app: Api, path: string): void {
  const methods = app.routes
    .filter((route) => route.path === path && route.method !== 'ALL')
    .map(({ method }) => method);
  const allowed = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
  app.all(path, (c) => {
    c.header('Allow', allowed);
    throw new CallError('METHOD_NOT_ALLOWED', `${path} allows ${allowed}.`);
  });
}

/** `/calls/{id}`, as OpenAPI has it, as the router has it. */
function routingPath(path: string): string {
  return path.replaceAll(/\{(.+?)\}/g, ':$1');
}
