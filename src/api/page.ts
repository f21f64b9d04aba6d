import { readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';

import { z } from '@hono/zod-openapi';

import { CallError } from '../call/errors';
import { workflowId } from '../call/names';
import type { Config } from '../config';
import type { Api } from './app';
import type { ApiContext, Endpoint } from './endpoint';

export interface PageDeps {
  config: Pick<Config, 'TEMPORAL_UI_URL' | 'TEMPORAL_NAMESPACE'>;
}

/** Everything comes from this server, and no text of an answer can become script or markup. */
const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const types: Record<string, string> = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

/** `GET /`: the live page, as `infra/bundle-page.ts` has bundled it. */
export function getPage({ config }: PageDeps): Endpoint {
  return {
    access: 'open',
    description: {
      operationId: 'getPage',
      summary: 'The live page: slots, queue, calls and statistics',
      tags: ['Description'],
      responses: { 200: { description: 'The page', content: { 'text/html': { schema: z.string() } } } },
    },
    handle: (c) => {
      c.header('Content-Security-Policy', contentSecurityPolicy);
      return c.html(bundle().html.replace('{{temporalWorkflows}}', escaped(workflowsIn(config))), 200);
    },
  };
}

/** What the page is made of. A name changes with what is in it, so that browsers need not ask again. */
export function serveAssetsOfPage(app: Api): void {
  app.get('/assets/:name', (c: ApiContext) => {
    const asset = bundle().assets.get(c.req.param('name') ?? '');
    if (!asset) throw new CallError('ROUTE_NOT_FOUND');
    return c.body(asset.text, 200, {
      'Content-Type': asset.type,
      'Cache-Control': 'public, max-age=31536000, immutable',
    });
  });
}

interface Bundle {
  html: string;
  assets: Map<string, { text: string; type: string }>;
}

let read: Bundle | undefined;

/** Read once: a process goes on with what it began with when another build is made beside it. */
function bundle(): Bundle {
  return (read ??= readBundle());
}

function readBundle(): Bundle {
  const directory = join(checkoutDirectory(), 'dist/page');
  const assets = readdirSync(join(directory, 'assets')).map((name) => {
    const text = readFileSync(join(directory, 'assets', name), 'utf8');
    return [name, { text, type: types[extname(name)] ?? 'application/octet-stream' }] as const;
  });
  return { html: readFileSync(join(directory, 'index.html'), 'utf8'), assets: new Map(assets) };
}

/** Two up from src/ where it runs as it is, as in tests, and three from dist/src/. */
function checkoutDirectory(): string {
  const parent = join(__dirname, '../..');
  return parent.endsWith('dist') ? dirname(parent) : parent;
}

/** Where in Temporal's Web UI a call's workflow is, but for the call's id at its end. */
function workflowsIn({ TEMPORAL_UI_URL, TEMPORAL_NAMESPACE }: PageDeps['config']): string {
  return `${TEMPORAL_UI_URL}/namespaces/${encodeURIComponent(TEMPORAL_NAMESPACE)}/workflows/${workflowId('')}`;
}

function escaped(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replaceAll(/[&<>"]/g, (character) => entities[character] ?? character);
}
