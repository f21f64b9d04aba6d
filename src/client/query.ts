type Value = string | number | boolean | Date;
type Values = Record<string, Value | readonly string[] | Readonly<Record<string, Value>> | undefined>;

/** A filter as the API's query has it: lists with commas, what is undefined left out, and `metadata.name=value`. */
export function queryOf(request: Values, prefix = ''): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(request)) {
    if (value === undefined) continue;
    if (value instanceof Date) query.set(prefix + name, value.toISOString());
    else if (Array.isArray(value)) query.set(prefix + name, value.join(','));
    else if (typeof value !== 'object') query.set(prefix + name, String(value));
    else for (const [inner, text] of queryOf(value as Record<string, Value>, `${name}.`)) query.set(inner, text);
  }
  return query;
}
