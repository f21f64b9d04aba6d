import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

import type { Client } from '@temporalio/client';
import { request } from 'undici';

import { InfraError } from '../infra/infra-error';
import { roleEnvironment } from '../infra/supervised-role';
import { pickFreePorts } from '../infra/tcp-port';
import { waitUntil } from '../infra/wait-until';
import type { Child } from './children';
import { createDatabase, query, withRedis, withTemporal, type FreshDatabase, type Stage } from './stage';

const scripts = { api: 'src/start/api.js', worker: 'src/start/worker.js', bridge: 'src/start/bridge.js' } as const;
export type Role = keyof typeof scripts;

export interface Counts extends Record<string, unknown> {
  PENDING: number;
  IN_PROGRESS: number;
  COMPLETED: number;
  slots: { limit: number; held: number; waiting: number };
}

/**
 * The service as its users run it, from the build, on fresh state: each role a process of its own, or as many as the stage
 * says. Each API has its port; the first worker has its webhooks sent to the first API, the second to the second, and so on.
 */
export class Service {
  readonly roles: { role: Role; name: string; child: Child }[] = [];

  private constructor(
    private readonly stage: Stage,
    private readonly database: FreshDatabase,
    private readonly settings: Readonly<Record<string, string>>,
    /** Of each API that may run. */
    private readonly ports: readonly number[],
  ) {}

  static async open(stage: Stage, settings: Readonly<Record<string, string>> = {}): Promise<Service> {
    const [database, ports] = await Promise.all([createDatabase(stage), pickFreePorts(stage.processes)]);
    await withRedis(stage, (redis) => redis.flushall());
    const name = randomBytes(6).toString('hex');
    const told = {
      ...stage.backing.environment,
      DATABASE_URL: database.url,
      TEMPORAL_NAMESPACE: `bench-${name}`,
      KAFKA_GROUP_ID: `bench-${name}`,
      PROVIDER_BASE_URL: stage.stub.url,
      ...settings,
    };
    const migration = stage.children.start({ name: 'migrate', script: 'src/start/migrate.js', env: told });
    await waitUntil(() => migration.ended, { deadlineSeconds: 120, signal: stage.signal });
    return new Service(stage, database, told, ports);
  }

  /** Of every API. */
  get urls(): string[] {
    return this.ports.map((port) => `http://127.0.0.1:${port}`);
  }

  /** Of the first one. */
  get url(): string {
    return this.urls[0] ?? '';
  }

  get databaseUrl(): string {
    return this.database.url;
  }

  get namespace(): string {
    return this.settings['TEMPORAL_NAMESPACE'] ?? '';
  }

  /** Of each process, by its name: its role, from the second on with its number. */
  get pids(): Record<string, number> {
    return Object.fromEntries(this.roles.map(({ name, child }) => [name, child.pid]));
  }

  async start(...roles: Role[]): Promise<void> {
    await Promise.all(roles.flatMap((role) => this.ports.map((_, index) => this.run(role, index))));
  }

  /** One process of a role. @param index among those of its role */
  async run(role: Role, index = 0): Promise<Child> {
    const port = this.ports[index] ?? 0;
    const env = { ...roleEnvironment, ...this.settings, PORT: String(port), PUBLIC_BASE_URL: this.urls[index] ?? '' };
    const name = index === 0 ? role : `${role}-${index + 1}`;
    const child = await this.stage.children.startReady({ name, script: scripts[role], env });
    this.roles.push({ role, name, child });
    return child;
  }

  async counts(): Promise<Counts> {
    return this.ask<Counts>('/metrics');
  }

  /** Of the first API. @throws InfraError with the answer, unless that is 2xx */
  async ask<Answer>(path: string, method: 'GET' | 'POST' = 'GET'): Promise<Answer> {
    // Not fetch, which leaves a listener on the signal with each request until its garbage is collected.
    const { statusCode, body } = await request(`${this.url}${path}`, { method, signal: this.stage.signal });
    if (statusCode >= 300) throw new InfraError(`${method} ${path}: ${statusCode} ${await body.text()}`);
    return (await body.json()) as Answer;
  }

  /** Looks a few times a second: looking costs the API something too. */
  async until(what: string, condition: (counts: Counts) => boolean, seconds = 3_600): Promise<void> {
    const came = await waitUntil(async () => condition(await this.counts()), {
      deadlineSeconds: seconds,
      pollMilliseconds: 300,
      signal: this.stage.signal,
    });
    if (!came) throw new InfraError(`not within ${seconds} s: ${what} (${JSON.stringify(await this.counts())})`);
  }

  /** Until each event is on Kafka: what leaves that for later is not faster. */
  async untilAllIsTold(): Promise<void> {
    const told = async (): Promise<boolean> =>
      (await query(this.databaseUrl, 'select 1 from outbox limit 1')).length === 0;
    if (await waitUntil(told, { deadlineSeconds: toldWithinSeconds, signal: this.stage.signal })) return;
    throw new InfraError(`events are not on Kafka after ${toldWithinSeconds} s`);
  }

  async withTemporal<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    return withTemporal(this.stage, this.namespace, work);
  }

  /** Ends the roles and drops what they had. */
  async close(): Promise<void> {
    await Promise.all(this.roles.map(({ child }) => child.stop()));
    await this.stage.stub.reset();
    if (this.roles.some(({ role }) => role === 'worker')) {
      // It would go on starting workflows that nobody carries out.
      await this.withTemporal((client) => client.schedule.getHandle('reconcile').delete());
    }
    await this.database.drop();
    await pause(this.stage.quick ? 0 : settleMilliseconds);
  }
}

const toldWithinSeconds = 120;

/** What one round leaves to be written to disk is not to be the next one's burden. */
const settleMilliseconds = 3_000;
