import type { PageRequest } from './answers';

/** A filter as the API's query has it; what is undefined is left out. */
export function queryOf({ metadata, ...request }: PageRequest & { format?: string }): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(request)) {
    if (value !== undefined) query.set(name, value instanceof Date ? value.toISOString() : String(value));
  }
  for (const [name, value] of Object.entries(metadata ?? {})) query.set(`metadata.${name}`, String(value));
  return query;
}
