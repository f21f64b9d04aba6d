import { z } from '@hono/zod-openapi';

import { callStatuses } from '../call/call';
import { CallError } from '../call/errors';
import { e164 } from '../call/phone-number';
import { storableText, type RequestSchemas } from '../call/request';
import type { ApiContext } from './endpoint';

/** Several of a list of names, separated by commas. */
export const someOf = <Name extends string>(names: readonly Name[]) =>
  z
    .string()
    .transform((text, context) => {
      const given = [...new Set(text.split(','))];
      const known = given.flatMap((name) => names.find((one) => one === name) ?? []);
      if (known.length < given.length) {
        context.addIssue({ code: 'custom', message: `must be among ${names.join(', ')}, several separated by commas` });
      }
      return known;
    })
    .openapi({
      type: 'array',
      minItems: 1,
      items: { type: 'string', enum: [...names] },
      param: { style: 'form', explode: false },
    });

/** In a query an unencoded plus arrives as a space. */
const plusRestored = (pattern: RegExp) => z.string().transform((text) => text.replace(pattern, '+$1'));

/** @param description for /openapi.json */
export const time = (description: string) =>
  plusRestored(/ (\d\d:\d\d)$/)
    .pipe(z.iso.datetime({ offset: true, message: 'must be a time such as 2030-01-31T12:00:00Z', abort: true }))
    .transform((text) => new Date(text))
    .openapi({ type: 'string', format: 'date-time', description });

/** The prefix, then a name that metadata can have. */
const ofMetadata = /^metadata\.(?!__proto__$)(?=.)/s;
/** Of JSON Schema 2020-12, which the type of `openapi` does not know all of. */
const prefixedNames = { propertyNames: { pattern: '^metadata\\.[^\\u0000]+$' } };

const metadata = z.record(storableText, storableText).openapi({
  type: 'object',
  description:
    'Any number of parameters `metadata.<name>=<value>`: calls whose metadata has, under each of these names of its ' +
    'first level, that string, or the number or boolean of that text.',
  additionalProperties: { type: 'string', pattern: '^[^\\u0000]*$' },
  ...prefixedNames,
  example: { 'metadata.customer': '4711' },
  param: { style: 'form', explode: true },
});

/** The parameters that choose calls: of a list, an export, and in part of a stream. */
export const filterParameters = ({ call }: RequestSchemas) => ({
  status: someOf(callStatuses).optional(),
  to: plusRestored(/^ (.*)$/)
    .pipe(z.string().regex(e164, 'must be a phone number in E.164 form, such as +966501234567'))
    .optional()
    .openapi({ type: 'string', format: 'e164', pattern: e164.source, example: '+966501234567' }),
  scriptId: call.shape.scriptId.optional(),
  createdAfter: time('Accepted at this time or later.').optional(),
  createdBefore: time('Accepted before this time.').optional(),
  metadata: metadata.optional(),
});

/**
 * A query's parameters by name, those that begin with `metadata.` together under `metadata`.
 *
 * @throws CallError INVALID_REQUEST for a parameter given twice: which of the two was meant is anybody's guess
 */
export function queryOf(c: ApiContext): Record<string, unknown> {
  const given = [...new URL(c.req.url).searchParams];
  const names = given.map(([name]) => name);
  const twice = [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
  if (twice.length > 0) {
    const errors = twice.map((path) => ({ path, message: 'is given more than once' }));
    throw new CallError('INVALID_REQUEST', errors.map(({ path, message }) => `${path} ${message}`).join('; '), {
      errors,
    });
  }
  const metadata = given.filter(([name]) => ofMetadata.test(name));
  return {
    ...(metadata.length > 0 && {
      metadata: Object.fromEntries(metadata.map(([name, value]) => [name.replace(ofMetadata, ''), value])),
    }),
    ...Object.fromEntries(given.filter(([name]) => !ofMetadata.test(name))),
  };
}
