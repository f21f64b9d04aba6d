import { CallError, errorCatalogue, type CallErrorOptions, type ErrorCode } from '../call/errors';
import type { Api } from './app';
import { exampleCallId } from './examples';
import { problemOf } from './render-error';

const about = `Places phone calls exactly as promised.

Every answer carries an \`X-Request-Id\`, the one it was asked with or a new one, under which the log tells of it. Every
error is a problem (RFC 9457) with a stable \`code\`. The examples stand as they are: tests send and get them.`;

/** What /openapi.json answers: every endpoint that `app` has, and an example of each problem. */
export function documentOf(app: Api): object {
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'AI Call Orchestrator', version: '1', description: about },
  });
  for (const [path, operations] of Object.entries(document.paths ?? {})) {
    for (const operation of Object.values(operations as Record<string, DescribedOperation>)) {
      for (const response of Object.values(operation.responses)) addProblemExamples(response, path);
    }
  }
  return document;
}

/** Of an operation, what `problemAnswers` of ./endpoint has put there. */
interface DescribedOperation {
  responses: Record<
    string,
    { content?: Record<string, { schema: { allOf?: CodeSchema[] }; examples?: Record<string, unknown> }> }
  >;
}
interface CodeSchema {
  properties?: { code?: { enum: ErrorCode[] } };
}

function addProblemExamples({ content }: DescribedOperation['responses'][string], path: string): void {
  const problem = content?.['application/problem+json'];
  const codes = problem?.schema.allOf?.flatMap(({ properties }) => properties?.code?.enum ?? []) ?? [];
  if (!problem || codes.length === 0) return;
  problem.examples = Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code, path) }]));
}

function exampleOf(code: ErrorCode, path: string) {
  const options = more[code] ?? {};
  const [bad] = options.errors ?? [];
  const instance = path.replaceAll(/\{.+?\}/g, code === 'INVALID_ID' ? '7' : exampleCallId);
  return problemOf(
    new CallError(code, bad ? `${bad.path} ${bad.message}` : errorCatalogue[code].title, options),
    instance,
  );
}

const more: Partial<Record<ErrorCode, CallErrorOptions>> = {
  INVALID_REQUEST: { errors: [{ path: 'unknown', message: 'is not a known field' }] },
  NUMBER_BUSY: { activeCallId: '2a8b1f5e-3c64-4a0d-9f6e-5b7c8d9e0f1a' },
};
