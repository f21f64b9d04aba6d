import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

import type { WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { Worker } from '@temporalio/worker';
import type { Redis } from 'ioredis';

import { createActivities, type Activities } from '../../src/activities';
import type { Attempt, Call, CallStatus, ReportStatus } from '../../src/call/call';
import { taskQueue, workflowId } from '../../src/call/names';
import type { CallRequest } from '../../src/call/request';
import { reconcilerDuties } from '../../src/call/reconciler-duties';
import { isFinal } from '../../src/call/transitions';
import { readConfig, type Config } from '../../src/config';
import { dataConverterOf } from '../../src/encryption/data-converter';
import { acceptCalls } from '../../src/intake/accept-call';
import type { EndDeps } from '../../src/intake/end-completed';
import { actOnReport, receiveReport, type Reported } from '../../src/intake/provider-reports';
import { Starter } from '../../src/intake/starter';
import { createLog } from '../../src/log';
import { heartbeats } from '../../src/start/heartbeats';
import { runSinks } from '../../src/start/traced-worker';
import { workflowBundleName } from '../../src/start/temporal';
import { openRedis } from '../../src/slots/redis';
import { Semaphore } from '../../src/slots/semaphore';
import { listAttempts } from '../../src/store/attempts';
import { listEvents } from '../../src/store/call-events';
import { findCall } from '../../src/store/calls';
import type { CallRow, Database } from '../../src/store/database';
import type { HandoffRow } from '../../src/store/handoffs';
import type { ProviderReport } from '../../src/store/provider-reports';
import { callOf } from '../../src/store/rows';
import { createTestDatabase } from './database';
import { recordHistory } from './histories';
import { emptyRedisDatabase } from './redis';
import { quietRuntime } from './runtime';
import { ScriptedProvider } from './scripted-provider';
import { createTestNamespace } from './temporal';
import { waitUntil } from './wait-until';

/**
 * The whole carrying of calls in the test's process: real Temporal, PostgreSQL and Redis, each fresh, and a provider that
 * the test scripts. Calls come in by the door that HTTP and Kafka share.
 */
export class Carrier {
  readonly provider = new ScriptedProvider();
  private numbers = 0;

  private constructor(
    readonly config: Config,
    readonly db: Database,
    readonly databaseUrl: string,
    readonly redis: Redis,
    readonly namespace: Awaited<ReturnType<typeof createTestNamespace>>,
    readonly starter: Starter,
    readonly semaphore: Semaphore,
    private readonly dropDatabase: () => Promise<void>,
  ) {
    this.activities = createActivities({
      db,
      temporal: namespace.client,
      semaphore,
      provider: this.provider,
      starter,
      log: createLog('test', 'silent'),
      dialPatienceSeconds: config.DIAL_PATIENCE_SECONDS,
      maxCallSeconds: config.MAX_CALL_SECONDS,
      defaultExpirySeconds: config.DEFAULT_EXPIRY_SECONDS,
    });
  }

  static async open(settings: Record<string, string> = {}): Promise<Carrier> {
    quietRuntime();
    const config = readConfig({ RETRY_INITIAL_SECONDS: '0.2', ...process.env, ...settings });
    const log = createLog('test', 'silent');
    const [{ db, url, drop }, namespace] = await Promise.all([createTestDatabase(), createTestNamespace(settings)]);
    const redis = openRedis(await emptyRedisDatabase(), log);
    await redis.connect();
    const starter = new Starter({ db, temporal: namespace.client, policy: config, log });
    const semaphore = new Semaphore(redis, db, config.MAX_CONCURRENT_CALLS, log);
    return new Carrier(config, db, url, redis, namespace, starter, semaphore, drop);
  }

  private readonly closing = new AbortController();
  /** Being acted upon: they need the database. */
  private readonly reports = new Set<Promise<void>>();
  private worker: Worker | undefined;
  readonly activities: Activities;
  private running: Promise<void> | undefined;

  async startWorker(): Promise<void> {
    this.worker = await Worker.create({
      namespace: this.namespace.namespace,
      connection: await nativeConnection(this.config),
      taskQueue,
      workflowBundle: { codePath: join(__dirname, '../../dist', workflowBundleName(this.config)) },
      dataConverter: dataConverterOf(this.config),
      activities: this.activities,
      interceptors: { activity: [heartbeats] },
      sinks: runSinks,
      shutdownGraceTime: '1s',
      shutdownForceTime: '5s',
    });
    this.running = this.worker.run();
  }

  async stopWorker(): Promise<void> {
    this.worker?.shutdown();
    await this.running;
    this.worker = undefined;
  }

  async close(): Promise<void> {
    this.closing.abort();
    await Promise.allSettled(this.reports);
    if (this.worker) await this.stopWorker();
    this.redis.disconnect();
    await this.namespace.close();
    await this.dropDatabase();
  }

  /** One round of all the reconciler's duties, side by side. @returns how much it mended */
  async round(): Promise<number> {
    const done = await Promise.all(reconcilerDuties.map((duty) => this.activities[duty]()));
    return done.reduce((sum, mended) => sum + mended, 0);
  }

  /** Rounds of the reconciler, one after the other, until the condition holds. */
  async reconcileUntil<T>(what: string, condition: () => Promise<T | undefined | false>, seconds?: number): Promise<T> {
    return waitUntil(
      what,
      async () => {
        await this.round();
        return condition();
      },
      seconds,
    );
  }

  /** One round of the reconciler's duties for calls that lost their workflow. @returns how much it mended */
  async mend(): Promise<number> {
    return (await this.activities.endOrphanedAttempts()) + (await this.activities.mendWaitingCalls());
  }

  /** A number that no other call of this file has. */
  freshNumber(): string {
    return `+9665${String(10_000_000 + this.numbers++).padStart(8, '0')}`;
  }

  /** Accepts a call, without telling Temporal. */
  async accept(request: Partial<CallRequest> = {}): Promise<CallRow> {
    const [answer] = await acceptCalls(this.db, this.config, [
      { request: { to: this.freshNumber(), scriptId: 'test', ...request }, requestKey: null, source: null },
    ]);
    if (answer?.kind !== 'ACCEPTED') throw new Error(`not accepted: ${JSON.stringify(answer)}`);
    const row = await findCall(this.db, answer.row.id);
    if (row === undefined) throw new Error('not stored');
    return row;
  }

  /** Accepts so many calls at once, without telling Temporal. */
  async acceptMany(count: number): Promise<HandoffRow[]> {
    const requests = Array.from({ length: count }, () => ({ to: this.freshNumber(), scriptId: 'test' }));
    const incoming = requests.map((request) => ({ request, requestKey: null, source: null }));
    const answers = await acceptCalls(this.db, this.config, incoming);
    return answers.flatMap((answer) => (answer.kind === 'ACCEPTED' ? [answer.row] : []));
  }

  /** Accepts a call and starts its workflow. @returns its id */
  async place(request: Partial<CallRequest> = {}): Promise<string> {
    const row = await this.accept(request);
    await this.starter.handOff(row);
    return row.id;
  }

  /** The provider's webhook, for the call's attempt in progress: stored, then signalled. Returns once it has ended. */
  async report(callId: string, status: ReportStatus, failureReason: string | null = null): Promise<void> {
    const attempt = await this.attemptOnTheLine(callId);
    await this.reportOf(attempt, status, failureReason);
    await waitUntil(`attempt ${attempt.number} of ${callId} ended`, async () =>
      (await listAttempts(this.db, callId)).some(({ id, endedAt }) => id === attempt.id && endedAt !== null),
    );
  }

  /** As the API receives a report, and then dies: its workflow is not told of it. */
  receive(report: ProviderReport, attemptId: string | null): Promise<Reported | undefined> {
    return receiveReport(this.endDeps, report, attemptId);
  }

  get endDeps(): EndDeps {
    const { db, semaphore } = this;
    return { db, semaphore, temporal: this.namespace.client, log: createLog('test', 'silent') };
  }

  async reportOf(attempt: Attempt, status: ReportStatus, failureReason: string | null = null): Promise<void> {
    const report = {
      externalCallId: attempt.externalCallId ?? `unnamed-${randomUUID()}`,
      status,
      durationSec: 7,
      failureReason,
      completedAt: new Date(),
    };
    const reported = await this.receive(report, attempt.id);
    if (reported === undefined) throw new Error(`no attempt ${attempt.id}`);
    const acting = actOnReport(this.endDeps, reported, { stopping: this.closing.signal });
    this.reports.add(acting);
    await acting.finally(() => this.reports.delete(acting));
  }

  /** Waits until the call's latest attempt is with the provider. */
  async attemptOnTheLine(callId: string): Promise<Attempt> {
    return waitUntil(`call ${callId} on the line`, async () => {
      const attempt = (await listAttempts(this.db, callId)).at(-1);
      return attempt?.endedAt === null && attempt.externalCallId !== null ? attempt : undefined;
    });
  }

  async call(callId: string): Promise<Call> {
    const row = await findCall(this.db, callId);
    if (!row) throw new Error(`no call ${callId}`);
    return callOf(row);
  }

  attempts(callId: string): Promise<Attempt[]> {
    return listAttempts(this.db, callId);
  }

  /** The call's timeline in short: each event's type, and its reason where it has one. */
  async story(callId: string): Promise<string[]> {
    return (await listEvents(this.db, callId)).map(({ type, reason }) => (reason ? `${type}: ${reason}` : type));
  }

  async eventTypes(callId: string): Promise<string[]> {
    return (await listEvents(this.db, callId)).map((event) => event.type);
  }

  async untilStatus(callId: string, status: CallStatus, seconds?: number): Promise<Call> {
    return waitUntil(
      `call ${callId} is ${status}`,
      async () => {
        const call = await this.call(callId);
        if (call.status !== status && isFinal(call.status)) throw new Error(`call is ${call.status}, not ${status}`);
        return call.status === status ? call : undefined;
      },
      seconds,
    );
  }

  /** Waits until the attempt stands in the queue by the record. */
  async untilWaiting(callId: string): Promise<string> {
    return waitUntil(`call ${callId} waits for a slot`, async () => {
      const row = await this.db
        .selectFrom('attempts')
        .select('id')
        .where('call_id', '=', callId)
        .where('started_at', 'is', null)
        .where('ended_at', 'is', null)
        .executeTakeFirst();
      return row?.id;
    });
  }

  workflow(callId: string): WorkflowHandle {
    return this.namespace.client.workflow.getHandle(workflowId(callId));
  }

  /** How Temporal says the call's latest run ended, once it has. */
  async workflowStatus(callId: string): Promise<string> {
    return waitUntil(`workflow of ${callId} closed`, async () => {
      const { status } = await this.workflow(callId).describe();
      return status.name === 'RUNNING' ? undefined : status.name;
    });
  }

  /** Keeps the history of the call's latest run for the replay test, when asked to by RECORD_HISTORIES=1. */
  async record(callId: string, name: string): Promise<void> {
    await recordHistory(name, async () => {
      await this.workflowStatus(callId);
      return historyToJSON(await this.workflow(callId).fetchHistory());
    });
  }

  /** Slots that Redis has given out. */
  async slotsHeld(): Promise<number> {
    return this.redis.hlen('{slots}:holders');
  }
}

async function nativeConnection(config: Config) {
  const { NativeConnection } = await import('@temporalio/worker');
  return NativeConnection.connect({ address: config.TEMPORAL_ADDRESS });
}
