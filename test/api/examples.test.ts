import { exampleRange } from '../../src/api/board-examples';
import type { DependencyCheck } from '../../src/api/health';
import { startApi, type Answer, type ApiUnderTest } from './api-under-test';
import { examplesOf, operations, sendExample, type Change, type Described } from './described-requests';
import { clear, stages } from './stages';

const up: DependencyCheck = { required: false, check: () => Promise.resolve() };
const down: DependencyCheck = { required: false, check: () => Promise.reject(new Error('connection refused')) };

let api: ApiUnderTest;
/** The same where nothing can be done without PostgreSQL, and that is down. */
let unavailable: ApiUnderTest;
beforeAll(async () => {
  api = await startApi({ checks: { postgres: { ...up, required: true }, kafka: down } });
  unavailable = await startApi({ checks: { postgres: { ...down, required: true }, kafka: down } });
});
afterAll(() => Promise.all([api.close(), unavailable.close()]));

interface Shown extends Described {
  status: string;
  type: string;
  example: unknown;
}

/** Each answer that is no problem; those are the matter of every-answer.test.ts. */
const answers: Shown[] = operations.flatMap((described) =>
  Object.entries(described.operation.responses).flatMap(([status, { content = {} }]) =>
    Object.entries(content)
      .filter(([type]) => type !== 'application/problem+json')
      .map(([type, media]) => ({ ...described, status, type, example: Object.values(examplesOf(media))[0] })),
  ),
);
/** What asks for an answer that the path alone, and `Accept`, do not ask for. */
const askedBy: Record<string, Change> = {
  'GET /calls/export application/x-ndjson': { query: '?format=ndjson' },
  'GET /statistics application/json': { query: `?${new URLSearchParams(exampleRange).toString()}` },
};
/** Tells of now, whenever that is. */
const tellsOfNow = new Set(['GET /board']);
const textual = ['text/html', 'text/plain', 'text/event-stream'];

describe('the description', () => {
  test('names each operation, once', () => {
    const names = operations.map(({ operation }) => operation.operationId);
    expect(names).not.toContain(undefined);
    expect(new Set(names).size).toBe(names.length);
  });

  test('shows an example of every request body', () => {
    const without = operations.flatMap(({ route, operation }) =>
      Object.entries(operation.requestBody?.content ?? {})
        .filter(([, media]) => Object.keys(examplesOf(media)).length === 0)
        .map(([type]) => `${route} ${type}`),
    );
    expect(without).toEqual([]);
  });

  test('shows an example of parameters whose names are free, which pages to try it would else make up', async () => {
    const free = operations.flatMap(({ route, operation }) =>
      (operation.parameters ?? [])
        .filter(({ schema }) => schema.type === 'object')
        .map((parameter) => ({ route, parameter })),
    );
    expect(free.map(({ route }) => route)).toContain('GET /calls');
    for (const { route, parameter } of free) {
      const query = new URLSearchParams(parameter.schema.example as unknown as Record<string, string>).toString();
      const needed = route === 'GET /calls/export' ? 'format=ndjson&' : '';
      const answer = await api.request('GET', `${route.replace('GET ', '')}?${needed}${query}`);
      expect([route, answer.status]).toEqual([route, 200]);
    }
  });

  test('shows an example of every answer', () => {
    const without = answers.filter(({ example, type }) => example === undefined && !textual.includes(type));
    expect(without.map(({ route, status, type }) => `${route} ${status} ${type}`)).toEqual([]);
  });
});

describe('the request that is shown, sent as it stands, gets the answer that is shown', () => {
  const shown = answers.filter(({ example }) => example !== undefined);
  test.each(shown.map((one) => [one.route, one.status, one.type, one] as const))('%s %s %s', async (...[, , , one]) => {
    const { route, method, status, type, example } = one;
    const to = route === 'GET /ready' && status === '503' ? unavailable : api;
    await clear(to.db);
    await stages[`${route} ${status}`]?.(to.db);
    const answer = await sendExample(to, one, { headers: { Accept: type }, ...askedBy[`${route} ${type}`] });
    expect([String(answer.status), answer.text]).toEqual([status, answer.text]);
    if (route === 'GET /openapi.json') expect(answer.body).toMatchObject(example as object);
    else if (method === 'GET' && !tellsOfNow.has(route)) expect(bodyOf(answer, type)).toEqual(example);
    else expect(masked(bodyOf(answer, type))).toEqual(masked(example));
  });
});

/** Lines of JSON are described, and shown, by the first of them. */
function bodyOf({ text, body }: Answer, type: string): unknown {
  if (type === 'application/x-ndjson') return JSON.parse(text.split('\n')[0] ?? '');
  return type.endsWith('json') ? body : text;
}

/** Without what is made anew each time. */
function masked(value: unknown): unknown {
  const text = JSON.stringify(value)
    .replaceAll(/"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"/g, '"<id>"')
    .replaceAll(/"whsec_[^"]*"/g, '"<secret>"')
    .replaceAll(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"<time>"');
  return JSON.parse(text) as unknown;
}
