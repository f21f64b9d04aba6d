import { registry } from '../metrics';
import { problemAnswers, type Endpoint } from './endpoint';
import { readCounts, recordMetrics, type CallCounts, type RecordMetricsDeps } from './record-metrics';
import { metricsSchema } from './schemas';

const exampleMetrics: CallCounts = {
  PENDING: 0,
  IN_PROGRESS: 0,
  COMPLETED: 1,
  FAILED: 0,
  EXPIRED: 0,
  CANCELED: 0,
  slots: { limit: 30, held: 0, waiting: 0 },
};

/** `GET /metrics`: calls and slots from the record, so that they are right while Redis is away or emptied. */
export function getMetrics(deps: RecordMetricsDeps): Endpoint {
  const ofTheRecord = recordMetrics(deps);
  return {
    access: 'read',
    description: {
      operationId: 'getMetrics',
      summary: 'Calls by status, slots by use',
      tags: ['Operation'],
      responses: {
        200: {
          description: 'JSON, or Prometheus text where Accept names it first',
          content: {
            'application/json': { schema: metricsSchema, example: exampleMetrics },
            'text/plain': { schema: { type: 'string' } },
          },
        },
        ...problemAnswers(),
      },
    },
    handle: async (c) => {
      if (!prefersPrometheus(c.req.header('Accept'))) return c.json(await readCounts(deps), 200);
      const [record, process] = await Promise.all([ofTheRecord(), registry.metrics()]);
      return c.body(record + process, 200, { 'Content-Type': registry.contentType });
    },
  };
}

/** Whether, of the types we have, `Accept` names a text one first: by weight, then by order. */
export function prefersPrometheus(accept = ''): boolean {
  const [first] = accept
    .split(',')
    .map((part) => {
      const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
      return { type, weight: weight === undefined ? 1 : Number(weight) };
    })
    .filter(
      ({ type, weight }) => weight > 0 && /^(\*\/\*|application\/(json|\*|openmetrics-text)|text\/plain)$/.test(type),
    )
    .sort((a, b) => b.weight - a.weight);
  return first !== undefined && ['text/plain', 'application/openmetrics-text'].includes(first.type);
}
