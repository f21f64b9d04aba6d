import { type Dial, type DialPlan, seededOutcomes } from '../../mock-provider/dial-plan';

const settings = { seed: 'seven', minSeconds: 10, maxSeconds: 30, successRate: 0.9 };
const dialOf = (index: number, nth = 1): Dial => ({
  to: `+9665${String(index).padStart(8, '0')}`,
  scriptId: 'testScript',
  metadata: {},
  webhookUrl: 'http://127.0.0.1:3000/callbacks/call-status',
  idempotencyKey: undefined,
  nth,
});
const manyDials = Array.from({ length: 20_000 }, (_, index) => dialOf(index));

describe('seeded outcomes', () => {
  it('are the same for the same seed, whatever order the dials come in', () => {
    const first = seededOutcomes(settings);
    const second = seededOutcomes(settings);
    const dials = [dialOf(1), dialOf(2), dialOf(1, 2), dialOf(3), dialOf(1, 3)];
    const forwards = dials.map((dial) => first(dial));
    const backwards = [...dials].reverse().map((dial) => second(dial));
    expect(backwards.reverse()).toEqual(forwards);
  });

  it('differ with the seed, the number and how often it was dialled', () => {
    const decide = seededOutcomes(settings);
    const seconds = [
      decide(dialOf(1)),
      decide(dialOf(1, 2)),
      decide(dialOf(2)),
      seededOutcomes({ ...settings, seed: 'eight' })(dialOf(1)),
    ].map((plan) => plan.seconds);
    expect(new Set(seconds).size).toBe(seconds.length);
  });

  it('end well in nine of ten dials', () => {
    const plans = manyDials.map(seededOutcomes(settings));
    const rate = plans.filter((plan) => plan.outcome === 'COMPLETED').length / plans.length;
    expect(rate).toBeGreaterThan(0.89);
    expect(rate).toBeLessThan(0.91);
  });

  it('spread the failures evenly among BUSY, NO_ANSWER and FAILED, each with a reason', () => {
    const failed = manyDials.map(seededOutcomes({ ...settings, successRate: 0 }));
    const share = (outcome: DialPlan['outcome']) =>
      failed.filter((plan) => plan.outcome === outcome).length / failed.length;
    for (const outcome of ['BUSY', 'NO_ANSWER', 'FAILED'] as const) {
      expect(share(outcome)).toBeGreaterThan(0.31);
      expect(share(outcome)).toBeLessThan(0.36);
    }
    expect(failed.every((plan) => plan.failureReason)).toBe(true);
  });

  it('last between the least and the most seconds', () => {
    const seconds = manyDials.map(seededOutcomes(settings)).map((plan) => plan.seconds);
    expect(Math.min(...seconds)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...seconds)).toBeLessThanOrEqual(30);
    expect(Math.max(...seconds) - Math.min(...seconds)).toBeGreaterThan(19);
  });
});
