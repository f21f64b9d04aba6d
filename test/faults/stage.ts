import { Redis } from 'ioredis';

import { noteFault, type FaultRow } from '../../infra/fault-table';
import { placesCall, type Decide, type Dial, type DialPlan } from '../../mock-provider/dial-plan';
import { listen, type ListeningProvider } from '../../mock-provider/listen';
import { createMockProvider, type MockProvider } from '../../mock-provider/mock-provider';
import type { Call } from '../../src/call/call';
import { isFinal } from '../../src/call/transitions';
import { Service } from '../support/service';
import { waitUntil } from '../support/wait-until';

const webhookSecret = 'fault-suite';

export interface StageOptions {
  /** Settings of the roles; a backing service named here is used in place of the test run's. */
  settings?: Record<string, string>;
  /** Seconds that a call lasts, and ends well, unless the fault says otherwise. */
  callSeconds?: number;
}

/**
 * Where faults are rehearsed: the service's real processes on real backing services, and a provider in the test's own
 * process, whose count of what was on the line is the oracle.
 */
export class Stage {
  /** What becomes of each dial; a fault may change it. */
  decide: Decide;
  /** Every dial that was placed, in the order in which the provider took it. */
  readonly dialled: Dial[] = [];
  private readonly usual: DialPlan;
  private numbers = 0;

  private constructor(
    readonly service: Service,
    readonly provider: MockProvider,
    private readonly listening: ListeningProvider,
    readonly redis: Redis,
    readonly limit: number,
    callSeconds: number,
  ) {
    this.usual = { outcome: 'COMPLETED', seconds: callSeconds };
    this.decide = () => this.usual;
  }

  static async open({ settings = {}, callSeconds = 3 }: StageOptions = {}): Promise<Stage> {
    // The provider must listen before the service can be told where it is; it asks the stage only once there are calls.
    const stageOf: { stage?: Stage } = {};
    const provider = createMockProvider({
      webhookSecret,
      decide: (dial) => stageOf.stage!.take(dial),
      webhookRetry: { firstSeconds: 0.5, mostSeconds: 2 },
    });
    const listening = await listen(provider, '127.0.0.1', 0);
    const service = await Service.open({
      WEBHOOK_SECRET: webhookSecret,
      PROVIDER_BASE_URL: listening.url,
      RECONCILE_SECONDS: '1',
      PROVIDER_TIMEOUT_SECONDS: '3',
      ...settings,
    });
    const redis = new Redis(service.settings['REDIS_URL']!, { lazyConnect: true, commandTimeout: 5_000 });
    redis.on('error', () => undefined);
    const limit = Number(settings['MAX_CONCURRENT_CALLS'] ?? '30');
    const stage = new Stage(service, provider, listening, redis, limit, callSeconds);
    stageOf.stage = stage;
    return stage;
  }

  async close(): Promise<void> {
    this.redis.disconnect();
    await this.service.close();
    await this.listening.close();
  }

  /** Nothing is on the line, and every webhook was answered: none is left to be sent again. */
  lineIsQuiet(): boolean {
    const { active, webhooksPending } = this.provider.stats();
    return active === 0 && webhooksPending === 0;
  }

  /** What a dial does unless a fault has other plans for it. */
  usually(change: Partial<DialPlan> = {}): DialPlan {
    return { ...this.usual, ...change };
  }

  /** Whoever is dialled from here on stays on the line. @returns what lets them all end, well */
  holdTheLine(): () => void {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    this.decide = () => this.usually({ seconds: Infinity, endsWith: released });
    return release;
  }

  freshNumber(): string {
    return `+96650${String(2_000_000 + this.numbers++)}`;
  }

  /**
   * Tells the story of one fault, waits until all is quiet again, holds the provider's count against what is promised and
   * notes the row of the table.
   *
   * @param number the fault's number in the suite's list
   * @throws where the fault never fired, or a promise was broken
   */
  async rehearse(number: number, fault: string, story: (rehearsal: Rehearsal) => Promise<void>): Promise<void> {
    await fetch(`${this.listening.url}/stats/reset`, { method: 'POST' });
    this.dialled.length = 0;
    const rehearsal = new Rehearsal(this);
    let failure: unknown;
    try {
      await story(rehearsal);
      await rehearsal.converge();
    } catch (error) {
      failure = error;
    } finally {
      this.decide = () => this.usual;
    }
    for (const { role, output, exitCode } of this.service.processes.filter((one) => one.endedByItself)) {
      throw new Error(`${role} ended by itself, ${exitCode}:\n${output.slice(-4_000)}`, { cause: failure });
    }
    const row: FaultRow = { number, fault, limit: this.limit, ...(await rehearsal.account(failure)) };
    noteFault(process.env['DATA_DIR'] ?? '.data', row);
    if (failure !== undefined) throw failure as Error;
    expect(row).toMatchObject({ lost: 0, doubleDials: 0, slotsLeft: 0 });
    expect(row.fired).toBeGreaterThan(0);
    expect(row.peak).toBeLessThanOrEqual(this.limit);
    expect(row.peakPerNumber).toBeLessThanOrEqual(1);
  }

  private take(dial: Dial): DialPlan {
    const plan = this.decide(dial);
    if (placesCall(plan)) this.dialled.push(dial);
    return plan;
  }
}

/** One fault being rehearsed: the calls placed for it, how often it fired, when it was over. */
export class Rehearsal {
  readonly callIds: string[] = [];
  private timesFired = 0;
  private overAt = performance.now();
  private quietAt: number | undefined;

  constructor(private readonly stage: Stage) {}

  /** The fault was injected, for real, just now. */
  fired(times = 1): void {
    this.timesFired += times;
    this.over();
  }

  /** The fault has ended just now: from here on all must come right. */
  over(): void {
    this.overAt = performance.now();
  }

  /** Places calls to fresh numbers, one after the other, so that their order is known. */
  async place(count: number): Promise<Call[]> {
    const calls: Call[] = [];
    for (let i = 0; i < count; i++) calls.push(await this.stage.service.place({ to: this.stage.freshNumber() }));
    this.callIds.push(...calls.map(({ id }) => id));
    return calls;
  }

  /** Waits until each of the numbers, requested over Kafka, has its one call. */
  async untilCalled(numbers: readonly string[], seconds = 90): Promise<void> {
    await waitUntil(
      'each request has its call',
      async () => {
        const rows = await this.stage.service.database.db
          .selectFrom('calls')
          .select(['id', 'to_number'])
          .where('to_number', 'in', numbers)
          .execute();
        if (new Set(rows.map((row) => row.to_number)).size < numbers.length) return false;
        expect(rows).toHaveLength(numbers.length);
        this.callIds.push(...rows.map(({ id }) => id));
        return true;
      },
      seconds,
    );
  }

  /** Waits until so many calls are on the line by the provider's count. */
  async untilOnTheLine(count: number, seconds = 60): Promise<void> {
    await waitUntil(`${count} on the line`, () => this.stage.provider.stats().active >= count, seconds);
  }

  /** Waits until so many attempts wait for a slot by the record. */
  async untilWaiting(count: number, seconds = 60): Promise<void> {
    const waiting = async () => (await this.stage.service.metrics()).slots.waiting >= count;
    await waitUntil(`${count} waiting`, waiting, seconds);
  }

  /** Waits until every call is final, the line quiet and every slot free, in the record and in Redis. */
  async converge(seconds = 90): Promise<void> {
    await waitUntil(
      'every call final, every slot free',
      async () => {
        return this.stage.lineIsQuiet() && (await this.unfinished()) === 0 && (await this.slotsLeft()) === 0;
      },
      seconds,
    );
    this.quietAt = performance.now();
  }

  /** @returns the calls that were accepted and are not final */
  async unfinished(): Promise<number> {
    const rows = await this.stage.service.database.db
      .selectFrom('calls')
      .select(['id', 'status'])
      .where('id', 'in', ['00000000-0000-0000-0000-000000000000', ...this.callIds])
      .execute();
    return this.callIds.length - rows.filter(({ status }) => isFinal(status)).length;
  }

  /** @param failure of the story, which is what matters where the count cannot be taken because of it */
  async account(failure?: unknown): Promise<Omit<FaultRow, 'number' | 'fault' | 'limit'>> {
    const { peak, peakPerNumber, duplicateDials } = this.stage.provider.stats();
    const [lost, slotsLeft] = await Promise.all([this.unfinished(), this.slotsLeft()]).catch((error: unknown) => {
      throw failure ?? error;
    });
    return {
      fired: this.timesFired,
      calls: this.callIds.length,
      lost,
      doubleDials: duplicateDials,
      peak,
      peakPerNumber,
      slotsLeft,
      convergedSeconds: ((this.quietAt ?? performance.now()) - this.overAt) / 1_000,
    };
  }

  /** By the record or by Redis, whichever has more. */
  private async slotsLeft(): Promise<number> {
    const { held } = (await this.stage.service.metrics()).slots;
    return Math.max(held, await this.stage.redis.hlen('{slots}:holders'));
  }
}
