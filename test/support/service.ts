import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';

import { pickFreePorts } from '../../infra/tcp-port';
import type { Attempt, Call } from '../../src/call/call';
import type { CallEvent } from '../../src/call/event';
import { isFinal } from '../../src/call/transitions';
import { createTestDatabase, type TestDatabase } from './database';
import { emptyRedisDatabase } from './redis';
import { createTestNamespace, type TestNamespace } from './temporal';
import { waitUntil } from './wait-until';

const scripts = {
  api: 'src/start/api.js',
  worker: 'src/start/worker.js',
  bridge: 'src/start/bridge.js',
  provider: 'mock-provider/main.js',
} as const;
export type Role = keyof typeof scripts;

export interface ProviderStats {
  active: number;
  peak: number;
  peakPerNumber: number;
  dials: number;
  duplicateDials: number;
  webhooksPending: number;
}

interface Running {
  process: ChildProcess;
  output: string[];
}

/**
 * The service as its users run it: each role a process of its own, from the build, on fresh state. Talk to it over HTTP
 * and Kafka only; `stop` ends it as an operator does, and tells how each process ended.
 */
export class Service {
  private readonly roles = new Map<Role, Running>();

  private constructor(
    readonly database: TestDatabase,
    readonly namespace: TestNamespace,
    private readonly env: Record<string, string>,
  ) {}

  static async open(settings: Record<string, string> = {}): Promise<Service> {
    const [database, namespace, [port = 0, mockPort = 0]] = await Promise.all([
      createTestDatabase(),
      createTestNamespace(),
      pickFreePorts(2),
    ]);
    return new Service(database, namespace, {
      DATABASE_URL: database.url,
      REDIS_URL: await emptyRedisDatabase(),
      TEMPORAL_NAMESPACE: namespace.namespace,
      KAFKA_GROUP_ID: `test-${randomBytes(6).toString('hex')}`,
      PORT: String(port),
      MOCK_PORT: String(mockPort),
      PUBLIC_BASE_URL: `http://127.0.0.1:${port}`,
      PROVIDER_BASE_URL: `http://127.0.0.1:${mockPort}`,
      RETRY_INITIAL_SECONDS: '0.5',
      MOCK_MIN_SECONDS: '0.5',
      MOCK_MAX_SECONDS: '1.5',
      RECONCILE_SECONDS: '2',
      ...settings,
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.env['PORT']}`;
  }

  /** Starts roles, side by side, and waits until each says that it is ready. */
  async start(...roles: Role[]): Promise<void> {
    await Promise.all(roles.map((role) => this.startRole(role)));
  }

  private async startRole(role: Role): Promise<void> {
    const child = spawn(process.execPath, [join(__dirname, '../../dist', scripts[role])], {
      env: { ...process.env, ...this.env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => output.push(String(chunk)));
    this.roles.set(role, { process: child, output });
    await waitUntil(
      `${role} ready`,
      () => {
        if (child.exitCode !== null) throw new Error(`${role} ended:\n${output.join('')}`);
        return output.some((chunk) => chunk.includes('"msg":"ready"') || chunk.includes('mock provider ready'));
      },
      90,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}:\n${output.join('')}`);
    });
  }

  /** SIGTERM to each. @returns each process's exit code */
  async stop(...roles: Role[]): Promise<(number | null)[]> {
    const named = roles.length > 0 ? roles : [...this.roles.keys()];
    return Promise.all(
      named.map(async (role) => {
        const child = this.roles.get(role)?.process;
        if (!child) throw new Error(`${role} does not run`);
        this.roles.delete(role);
        if (child.exitCode !== null) return child.exitCode;
        const exited = once(child, 'exit') as Promise<[number | null]>;
        child.kill('SIGTERM');
        return (await exited)[0];
      }),
    );
  }

  /** Stops what runs, hard, and drops what it had. */
  async close(): Promise<void> {
    for (const { process: child } of this.roles.values()) {
      if (child.exitCode !== null) continue;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    await this.namespace.close();
    await this.database.drop();
  }

  /** Everything a role has written. */
  output(role: Role): string {
    return this.roles.get(role)?.output.join('') ?? '';
  }

  request(path: string, init?: RequestInit): Promise<Response> {
    return fetch(`${this.url}${path}`, init);
  }

  post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return this.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  async get<T>(path: string): Promise<T> {
    const response = await this.request(path);
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** @returns the call as accepted */
  async place(request: { to: string; scriptId?: string; expiresAt?: string }): Promise<Call> {
    const response = await this.post('/calls', { scriptId: 'testScript', ...request });
    if (response.status !== 201) throw new Error(`POST /calls: ${response.status} ${await response.text()}`);
    return (await response.json()) as Call;
  }

  call(id: string): Promise<Call> {
    return this.get(`/calls/${id}`);
  }

  async attempts(id: string): Promise<Attempt[]> {
    return (await this.get<{ attempts: Attempt[] }>(`/calls/${id}/attempts`)).attempts;
  }

  async events(id: string): Promise<CallEvent[]> {
    return (await this.get<{ events: CallEvent[] }>(`/calls/${id}/events`)).events;
  }

  untilFinal(id: string, seconds = 90): Promise<Call> {
    return waitUntil(
      `call ${id} final`,
      async () => {
        const call = await this.call(id);
        return isFinal(call.status) ? call : undefined;
      },
      seconds,
    );
  }

  metrics(): Promise<Record<string, number> & { slots: { limit: number; held: number; waiting: number } }> {
    return this.get('/metrics');
  }

  async providerStats(): Promise<ProviderStats> {
    return (await (await fetch(`${this.env['PROVIDER_BASE_URL']}/stats`)).json()) as ProviderStats;
  }
}
