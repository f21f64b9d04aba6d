import { randomBytes } from 'node:crypto';

import { pickFreePorts } from '../../infra/tcp-port';
import type { Attempt, Call } from '../../src/call/call';
import type { CallEvent } from '../../src/call/event';
import { isFinal } from '../../src/call/transitions';
import { ApiDocument } from './api-document';
import { createTestDatabase, type TestDatabase } from './database';
import { emptyRedisDatabase } from './redis';
import { RoleProcess, type Role } from './role-process';
import { createTestNamespace, type TestNamespace } from './temporal';
import { waitUntil } from './wait-until';

export interface ProviderStats {
  active: number;
  peak: number;
  peakPerNumber: number;
  dials: number;
  duplicateDials: number;
  webhooksPending: number;
}

/**
 * The service as its users run it: each role a process of its own, from the build, on fresh state. Talk to it over HTTP
 * and Kafka only; `stop` ends it as an operator does, and tells how each process ended.
 */
export class Service {
  readonly processes: RoleProcess[] = [];
  private document: ApiDocument | undefined;

  private constructor(
    readonly database: TestDatabase,
    readonly namespace: TestNamespace,
    /** What every role is told. */
    readonly settings: Record<string, string>,
  ) {}

  /**
   * @param settings of the roles. A backing service that they name, by DATABASE_URL, REDIS_URL, KAFKA_BROKERS or
   *   TEMPORAL_ADDRESS, is used for fresh state in place of the test run's
   */
  static async open(settings: Record<string, string> = {}): Promise<Service> {
    const [database, namespace, redisUrl, [port = 0, mockPort = 0]] = await Promise.all([
      createTestDatabase(settings['DATABASE_URL']),
      createTestNamespace(settings),
      settings['REDIS_URL'] ?? emptyRedisDatabase(),
      pickFreePorts(2),
    ]);
    return new Service(database, namespace, {
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
      DATABASE_URL: database.url,
      REDIS_URL: redisUrl,
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.settings['PORT']}`;
  }

  /** Starts roles, side by side, and waits until each says that it is ready. */
  async start(...roles: Role[]): Promise<void> {
    await Promise.all(roles.map((role) => this.run(role)));
  }

  /** Starts one more process of a role. @param env what it alone is told */
  async run(role: Role, env: Record<string, string> = {}): Promise<RoleProcess> {
    const settings: Record<string, string> = { ...this.settings, ...env };
    const started = await RoleProcess.start(role, settings);
    this.processes.push(started);
    // Served by this very process, which may listen on a port of its own.
    if (role === 'api') this.document ??= await ApiDocument.servedAt(`http://127.0.0.1:${settings['PORT']}`);
    return started;
  }

  /** It ended, and may: a supervisor would start another in its place. */
  forget(ended: RoleProcess): void {
    this.processes.splice(this.processes.indexOf(ended), 1);
  }

  /** SIGTERM to each. @returns each process's exit code */
  stop(): Promise<(number | null)[]> {
    return Promise.all(this.processes.map((one) => one.stop()));
  }

  /** Stops what runs, hard, and drops what it had. */
  async close(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.crash()));
    await this.namespace.close();
    await this.database.drop();
  }

  /** Everything that the processes of a role have written. */
  output(role: Role): string {
    return this.processes
      .filter((one) => one.role === role)
      .map(({ output }) => output)
      .join('');
  }

  /**
   * Its answer is held to /openapi.json; of one that streams, all but the body. With ADMIN_API_KEY among the settings it
   * is sent, unless another key is.
   */
  async request(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    const key = this.settings['ADMIN_API_KEY'];
    if (key !== undefined && !headers.has('Authorization')) headers.set('Authorization', `Bearer ${key}`);
    const response = await fetch(`${this.url}${path}`, { ...init, headers });
    await this.document?.holdResponse(init.method ?? 'GET', path, response);
    return response;
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
    return (await (await fetch(`${this.settings['PROVIDER_BASE_URL']}/stats`)).json()) as ProviderStats;
  }
}
