import type { Config } from '../config';
import { problemAnswers, type Endpoint } from './endpoint';

/** The name of the scheme in /openapi.json. */
export const bearerScheme = 'bearer';

export const bearerDescription = {
  type: 'http',
  scheme: 'bearer',
  description:
    'An API key, which may `read`, `write` (which includes to read) or `admin` (which includes both); each endpoint says what it asks for.',
} as const;

const number = { type: 'integer' } as const;
const headersByStatus: Record<string, Record<string, { description: string; schema: object }>> = {
  401: { 'WWW-Authenticate': { description: 'The scheme, and what is wrong', schema: { type: 'string' } } },
  429: {
    'Retry-After': { description: 'Seconds to wait', schema: number },
    'RateLimit-Limit': { description: 'Requests a minute', schema: number },
    'RateLimit-Remaining': { description: 'Requests left of them', schema: number },
    'RateLimit-Reset': { description: 'Seconds until all are there again', schema: number },
  },
};

const refusals = Object.fromEntries(
  Object.entries(problemAnswers('UNAUTHENTICATED', 'FORBIDDEN', 'RATE_LIMITED')).map(([status, refusal]) => {
    const headers = headersByStatus[status];
    return [status, { ...refusal, ...(headers && { headers }) }];
  }),
);

/**
 * Adds to an endpoint's description what all have in common that are not open to anybody.
 *
 * @param apiKeys with `off` none is asked for
 */
export function describeAccess(
  { access, description }: Pick<Endpoint, 'access' | 'description'>,
  apiKeys: Config['API_KEYS'],
): Endpoint['description'] {
  if (access === 'open') return description;
  return {
    ...description,
    security: [...(apiKeys === 'off' ? [{}] : []), { [bearerScheme]: [access] }],
    responses: { ...refusals, ...description.responses },
  };
}
