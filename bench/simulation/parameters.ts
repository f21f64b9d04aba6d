/** What the simulation goes by: every number that was measured, or that is a machine's, in one place. */

/** Of one kind of work, wherever in the service it is done. */
export interface Station {
  /** For people. */
  name: string;
  /** How many of its works it carries in a second when it has no pause. */
  perSecond: number;
  /** What one takes where nobody is before it: with `perSecond`, how many are carried side by side. */
  milliseconds: number;
}

export interface Deployment {
  name: string;
  temporal: Station;
  postgres: Station;
  redis: Station;
}

/**
 * On two cores that everything shares. Measured by `npm run bench -- --only orchestration,accept,hand-over`: the bare
 * workflows a second (54.5) with the eight operations of each; rows of a commit each; what a call's scripts take of Redis'
 * thread; and of Temporal alone from the webhook to the next dial, which is a signal, a workflow task and the dial, 25.7 ms.
 * Taken: that a statement of ours with its way there and back lasts 3 ms.
 */
export const here: Deployment = {
  name: 'as measured here: the embedded Temporal on two cores',
  temporal: { name: 'Temporal', perSecond: 436, milliseconds: 11 },
  postgres: { name: 'PostgreSQL', perSecond: 11_187, milliseconds: 3 },
  redis: { name: 'Redis', perSecond: 11_400, milliseconds: 0.088 },
};

/** The same, with a Temporal that carries what is asked of it, each operation as long as a signal to Temporal Cloud (published). */
export const scaled: Deployment = {
  ...here,
  name: 'one region, Temporal at 6,000 operations a second',
  temporal: { name: 'Temporal', perSecond: 6_000, milliseconds: 19 },
};

/** How far works of one kind differ: the deviation of the logarithm of their times. 99 of 100 are below four times the middle. */
export const spread = 0.6;

/** Between us and the provider, and within our processes, where nobody queues. */
export const milliseconds = {
  /** The webhook on its way, its signature and what it says. */
  webhook: 3,
  /** From the request to place a call until the provider has it. */
  dial: 3,
} as const;

export type Stage = 'webhook' | 'dial' | 'temporal' | 'postgres' | 'redis';

/** From the end of a call to the next dial, one after the other (src/api/callbacks.ts to src/activities/dial.ts). */
export const handOver: readonly { what: string; at: Stage }[] = [
  { what: 'webhook received', at: 'webhook' },
  { what: 'attempt found', at: 'postgres' },
  { what: 'slot released', at: 'redis' },
  { what: 'grant signalled', at: 'temporal' },
  // The dial's activity comes with the answer to it.
  { what: 'workflow task', at: 'temporal' },
  { what: 'slot claimed', at: 'postgres' },
  { what: 'dial', at: 'dial' },
];

/** What is done for each call besides, in the way of others' hand-overs but of none's own. Each chain begins with its event. */
export const besides: Record<'ended' | 'dialled' | 'accepted', readonly Stage[]> = {
  /** The report is stored with the attempt's end; its own workflow hears of it, and comes to its end. */
  ended: ['postgres', 'temporal', 'temporal'],
  /** The claim is confirmed, the dial's answer is written down, the activity is over, its workflow goes on. */
  dialled: ['redis', 'postgres', 'temporal', 'temporal'],
  /** Another call is accepted, started, and waits. */
  accepted: ['postgres', 'temporal', 'temporal', 'postgres', 'redis'],
};
