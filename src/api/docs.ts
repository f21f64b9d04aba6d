import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { z } from '@hono/zod-openapi';
import { absolutePath } from 'swagger-ui-dist';

import type { Api } from './app';
import { jsonAnswer, type Endpoint } from './endpoint';

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AI Call Orchestrator: API</title>
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const start = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#api', deepLinking: true, tryItOutEnabled: true });
const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', follow);
follow();
`;

const assets = { 'swagger-ui.css': 'text/css', 'swagger-ui-bundle.js': 'text/javascript' } as const;

/** Everything comes from this server; Swagger UI sets styles on elements and draws its icons from data URLs. */
const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** `GET /openapi.json`. @param document asked for once, when every route is there */
export function getDescription(document: () => object): Endpoint {
  let made: object | undefined;
  return {
    access: 'open',
    description: {
      operationId: 'getDescription',
      summary: 'This description',
      tags: ['Description'],
      responses: { 200: jsonAnswer('OpenAPI 3.1', z.looseObject({ openapi: z.string() }), { openapi: '3.1.0' }) },
    },
    handle: (c) => c.json((made ??= document()), 200),
  };
}

/** `GET /docs`: a page to read and try the API, from /openapi.json, with nothing from elsewhere. */
export function getDocs(): Endpoint {
  return {
    access: 'open',
    description: {
      operationId: 'getDocs',
      summary: 'A page to read and try the API',
      tags: ['Description'],
      responses: { 200: { description: 'The page', content: { 'text/html': { schema: z.string() } } } },
    },
    handle: (c) => {
      c.header('Content-Security-Policy', contentSecurityPolicy);
      return c.html(page, 200);
    },
  };
}

/** What the page is made of. */
export function serveAssetsOfDocs(app: Api): void {
  app.get('/docs/start.js', (c) => c.body(start, 200, { 'Content-Type': 'text/javascript' }));
  for (const [name, type] of Object.entries(assets)) {
    app.get(`/docs/${name}`, async (c) =>
      c.body(await readFile(join(absolutePath(), name), 'utf8'), 200, {
        'Content-Type': type,
        'Cache-Control': 'public, max-age=3600',
      }),
    );
  }
}
