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
export const cursor = (description: string) => cursorIn(ofLists, description);

/** Of the queue for slots, whose places may be below zero. @param description for /openapi.json */
export const queueCursor = (description: string) => cursorIn(ofQueue, description);

/** Opaque to clients. */
export const writeCursor = (seq: number) => write(ofLists, seq);
export const writeQueueCursor = (queueSeq: number) => write(ofQueue, queueSeq);

interface Order {
  /** Lets each order, and a later one of the same list, refuse what another gave out. */
  version: string;
  place: RegExp;
}

const ofLists: Order = { version: '1', place: /^[1-9]\d{0,15}$/ };
const ofQueue: Order = { version: 'q1', place: /^-?[1-9]\d{0,15}$/ };

function cursorIn(order: Order, description: string) {
  return z
    .string()
    .transform((text, context) => {
      const place = read(order, text);
      if (place === undefined) context.addIssue({ code: 'custom', message: 'is not a cursor of this list' });
      return place;
    })
    .optional()
    .openapi({ type: 'string', description });
}

function write({ version }: Order, place: number): string {
  return Buffer.from(`${version}:${place}`).toString('base64url');
}

function read(order: Order, text: string): number | undefined {
  const [version, place = '', ...more] = Buffer.from(text, 'base64url').toString('latin1').split(':');
  if (version !== order.version || more.length > 0 || !order.place.test(place)) return undefined;
  if (!Number.isSafeInteger(Number(place))) return undefined;
  // Buffer skips what is not base64url; only what we would write ourselves is a cursor.
  return write(order, Number(place)) === text ? Number(place) : undefined;
}
