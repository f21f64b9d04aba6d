import fc from 'fast-check';

/** How much of a step is done: all; its grants are not told; its reply is lost; its first half alone, the record's. */
export type Fate = 'DONE' | 'GRANTS_LOST' | 'REPLY_LOST' | 'CRASHED';

/** What Redis can lose: all it has; what it was told since a copy was made, as by a restart; one key alone. */
const lostAlone = ['epoch', 'limit', 'free', 'queue', 'holders', 'owners', 'unclaimed', 'switch'] as const;
export type Loss = 'ALL' | 'SINCE_COPY' | (typeof lostAlone)[number];

const fate = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Fate>('DONE') },
  { weight: 3, arbitrary: fc.constantFrom<Fate>('GRANTS_LOST', 'REPLY_LOST', 'CRASHED') },
);
/** Many a row is in the record before Redis hears of it: those a restore brings in ahead of others' old grants. */
const crashingOften = fc.oneof({ weight: 2, arbitrary: fc.constant<Fate>('CRASHED') }, { weight: 3, arbitrary: fate });

const whose = fc.nat(50);
const kind = <K extends string>(name: K) => fc.constant(name);
const anyStep = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: kind('ENQUEUE'),
      priority: fc.constantFrom(3, 3, 3, 1, 2, 5),
      fate: crashingOften,
    }),
  },
  { weight: 13, arbitrary: fc.record({ kind: kind('GO_ON'), whose, fate }) },
  { weight: 6, arbitrary: fc.record({ kind: kind('END'), whose, fate }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('WITHDRAW'), whose, fate }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('PASS_TIME'), seconds: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('RESEND'), fate }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('AUDIT') }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('LOSE'), what: fc.constantFrom<Loss>('ALL', ...lostAlone) }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('SWITCH'), to: fc.constantFrom('PAUSE', 'RESUME'), fate }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('LIMIT'), limit: fc.integer({ min: 1, max: 4 }), fate }) },
);
export type Step = { kind: 'COPY' } | (typeof anyStep extends fc.Arbitrary<infer T> ? T : never);

/** A restore gives a slot to a second one while the first has heard of it: rare by chance, and the fence's reason. */
const overtaken: Step[] = [
  { kind: 'ENQUEUE', priority: 3, fate: 'CRASHED' },
  { kind: 'ENQUEUE', priority: 3, fate: 'DONE' },
  { kind: 'ENQUEUE', priority: 3, fate: 'CRASHED' },
  { kind: 'LOSE', what: 'ALL' },
  { kind: 'GO_ON', whose: 2, fate: 'DONE' },
];
/** And then the first one claims it, before which an urgent one came: the second is put out, and asks again. */
const putOut: Step[] = [
  ...overtaken,
  { kind: 'ENQUEUE', priority: 1, fate: 'DONE' },
  ...[1, 1, 1].map((whose) => ({ kind: 'GO_ON', whose, fate: 'DONE' }) as const),
];
/** All that waits is lost alone, and is old enough to be missed. */
const queueLost: Step[] = [
  { kind: 'ENQUEUE', priority: 3, fate: 'DONE' },
  { kind: 'LOSE', what: 'queue' },
  { kind: 'PASS_TIME', seconds: 6 },
  { kind: 'AUDIT' },
];
/** A grant that nobody heard of is no more noted as such. */
const grantForgotten: Step[] = [
  { kind: 'ENQUEUE', priority: 3, fate: 'DONE' },
  { kind: 'END', whose: 0, fate: 'GRANTS_LOST' },
  { kind: 'LOSE', what: 'unclaimed' },
  { kind: 'AUDIT' },
];
/** All are paused at once: a grant that was heard of, a claim that was confirmed, and one that waits. */
const paused: Step[] = [
  { kind: 'ENQUEUE', priority: 3, fate: 'DONE' },
  { kind: 'ENQUEUE', priority: 3, fate: 'REPLY_LOST' },
  { kind: 'SWITCH', to: 'PAUSE', fate: 'CRASHED' },
  { kind: 'GO_ON', whose: 0, fate: 'DONE' },
  { kind: 'END', whose: 0, fate: 'DONE' },
];
/** A grant that is no more noted was heard of all the same, given back for a pause, and its attempt waits anew. */
export const givenBack: Step[] = [
  { kind: 'ENQUEUE', priority: 3, fate: 'DONE' },
  { kind: 'LOSE', what: 'unclaimed' },
  { kind: 'SWITCH', to: 'PAUSE', fate: 'CRASHED' },
  { kind: 'GO_ON', whose: 0, fate: 'DONE' },
  { kind: 'GO_ON', whose: 0, fate: 'DONE' },
  { kind: 'AUDIT' },
];
/** The audit gives one the slot of an attempt that has ended, and another, that has claimed it, puts that one out again. */
export const putOutAtOnce: Step[] = [
  { kind: 'ENQUEUE', priority: 3, fate: 'CRASHED' },
  { kind: 'ENQUEUE', priority: 3, fate: 'DONE' },
  { kind: 'LOSE', what: 'ALL' },
  { kind: 'GO_ON', whose: 1, fate: 'DONE' },
  { kind: 'GO_ON', whose: 1, fate: 'DONE' },
  { kind: 'END', whose: 0, fate: 'CRASHED' },
  { kind: 'GO_ON', whose: 0, fate: 'CRASHED' },
  { kind: 'ENQUEUE', priority: 1, fate: 'CRASHED' },
  { kind: 'ENQUEUE', priority: 1, fate: 'DONE' },
  { kind: 'PASS_TIME', seconds: 6 },
  { kind: 'AUDIT' },
];
/** Redis comes back with what it had a moment ago. */
const restarted = fc
  .array(anyStep, { minLength: 1, maxLength: 4 })
  .map((steps): Step[] => [{ kind: 'COPY' }, ...steps, { kind: 'LOSE', what: 'SINCE_COPY' }]);

const scene = fc.oneof(
  { weight: 24, arbitrary: anyStep.map((one) => [one]) },
  { weight: 2, arbitrary: fc.constantFrom(overtaken, putOut, putOut) },
  { weight: 1, arbitrary: fc.constantFrom(queueLost, grantForgotten, paused) },
  { weight: 2, arbitrary: restarted },
);

/** What happens, in order. */
export const story = fc
  .array(scene, { minLength: 1, maxLength: 40, size: 'max' })
  .map((scenes): Step[] => scenes.flat());
