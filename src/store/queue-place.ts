import { sql, type Expression, type RawBuilder } from 'kysely';

import { priorities } from '../call/call';

/**
 * How far apart the places of two priorities are. A call's number stays far below it, and every place far below 2^53: a
 * double, as Redis's scores are, has it exactly.
 */
const placesOfOnePriority = 2 ** 48;

/**
 * A call's place in the queue for a slot, the lowest served first: by priority, and within one by age. One number says
 * both, so that the record, a restore and Redis's sorted set cannot order in two ways. A call of the usual priority has
 * its bare number, as every call had before there were priorities.
 *
 * @param number from the sequence `call_order`
 */
export function placeInQueue(priority: Expression<number>, number: Expression<number>): RawBuilder<number> {
  return sql<number>`(${number} + (${priority} - ${priorities.usual}::integer) * ${placesOfOnePriority}::bigint)`;
}
