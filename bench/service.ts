import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

import { Client, Connection } from '@temporalio/client';
import { Redis } from 'ioredis';

import { InfraError } from '../infra/infra-error';
import { pickFreePorts } from '../infra/tcp-port';
import { waitUntil } from '../infra/wait-until';
import type { Child } from './children';
import { createDatabase, type FreshDatabase, type Stage } from './stage';

const scripts = { api: 'src/start/api.js', worker: 'src/start/worker.js', bridge: 'src/start/bridge.js' } as const;
export type Role = keyof typeof scripts;

export interface Counts extends Record<string, unknown> {
  PENDING: number;
  IN_PROGRESS: number;
  COMPLETED: number;
  slots: { limit: number; held: number; waiting: number };
}

/** The service as its users run it, each role a process of its own, from the build, on fresh state. */
export class Service {
  readonly roles: { role: Role; child: Child }[] = [];

  private constructor(
    private readonly stage: Stage,
    private readonly database: FreshDatabase,
    private readonly settings: Readonly<Record<string, string>>,
  ) {}

  static async open(stage: Stage, settings: Readonly<Record<string, string>> = {}): Promise<Service> {
    const [database, [port = 0]] = await Promise.all([createDatabase(stage), pickFreePorts(1)]);
    const { environment } = stage.backing;
    const redis = new Redis(environment['REDIS_URL'] ?? '');
    await redis.flushall();
    redis.disconnect();
    const name = randomBytes(6).toString('hex');
    const told = {
      ...environment,
      DATABASE_URL: database.url,
      TEMPORAL_NAMESPACE: `bench-${name}`,
      KAFKA_GROUP_ID: `bench-${name}`,
      PORT: String(port),
      PUBLIC_BASE_URL: `http://127.0.0.1:${port}`,
      PROVIDER_BASE_URL: stage.stub.url,
      ...settings,
    };
    const migration = stage.children.start({ name: 'migrate', script: 'src/start/migrate.js', env: told });
    await waitUntil(() => migration.ended, { deadlineSeconds: 120, signal: stage.signal });
    return new Service(stage, database, told);
  }

  get url(): string {
    return this.settings['PUBLIC_BASE_URL'] ?? '';
  }

  get databaseUrl(): string {
    return this.database.url;
  }

  get namespace(): string {
    return this.settings['TEMPORAL_NAMESPACE'] ?? '';
  }

  /** The process of each role, by a name. */
  get pids(): Record<string, number> {
    return Object.fromEntries(this.roles.map(({ role, child }) => [role, child.pid]));
  }

  async start(...roles: Role[]): Promise<void> {
    await Promise.all(roles.map((role) => this.run(role)));
  }

  async run(role: Role, env: Readonly<Record<string, string>> = {}): Promise<Child> {
    const plan = { name: role, script: scripts[role], env: { ...this.settings, ...env } };
    const child = await this.stage.children.startReady(plan);
    this.roles.push({ role, child });
    return child;
  }

  async counts(): Promise<Counts> {
    const response = await fetch(`${this.url}/metrics`, { signal: this.stage.signal });
    return (await response.json()) as Counts;
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

  async withTemporal<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    const connection = await Connection.connect({ address: this.settings['TEMPORAL_ADDRESS'] ?? '' });
    try {
      return await work(new Client({ connection, namespace: this.namespace }));
    } finally {
      await connection.close();
    }
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

/** What one round leaves to be written to disk is not to be the next one's burden. */
const settleMilliseconds = 3_000;
