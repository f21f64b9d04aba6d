import { z } from '@hono/zod-openapi';

/** Query parameters of lists that go on by a cursor: the place of the last row in an order that never changes. */

const maxLimit = 100;
const defaultLimit = 50;

export const wholeNumber = (max: number, fallback: number) =>
  z
    .string()
    .refine((text) => /^[1-9]\d{0,9}$/.test(text) && Number(text) <= max, `must be a whole number from 1 to ${max}`)
    .transform(Number)
    .default(fallback)
    .openapi({ type: 'integer', minimum: 1, maximum: max, default: fallback });

export const limit = wholeNumber(maxLimit, defaultLimit);

/** @param description for /openapi.json */
export const cursor = (description: string) =>
  z
    .string()
    .transform((text, context) => {
      const seq = readCursor(text);
      if (seq === undefined) context.addIssue({ code: 'custom', message: 'is not a cursor of this list' });
      return seq;
    })
    .optional()
    .openapi({ type: 'string', description });

/** Opaque to clients. The version lets a later order of the list refuse what this one gave out. */
export function writeCursor(seq: number): string {
  return Buffer.from(`1:${seq}`).toString('base64url');
}

function readCursor(text: string): number | undefined {
  const seq = /^1:([1-9]\d{0,15})$/.exec(Buffer.from(text, 'base64url').toString('latin1'))?.[1];
  if (seq === undefined || !Number.isSafeInteger(Number(seq))) return undefined;
  // Buffer skips what is not base64url; only what we would write ourselves is a cursor.
  return writeCursor(Number(seq)) === text ? Number(seq) : undefined;
}
