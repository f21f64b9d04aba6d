import { setTimeout as pause } from 'node:timers/promises';

import { BalancedPool } from 'undici';

import { now, runOnce } from './program';
import { callAt, type CallPlan } from './requests';

/** The load generator, a process of its own: it shares no event loop with what it measures. */
export interface LoadInput {
  /** Each is sent its share. */
  origins: string[];
  /** Requests under way at once, over all of them. */
  connections: number;
  /** What is sent: calls by POST /calls, made by the plan, or these paths by GET, again and again. */
  send: { calls: CallPlan } | { paths: string[] };
  /** How long, or how many requests. */
  seconds?: number;
  count?: number;
  /** Without it each connection sends its next request as soon as the last one is answered. */
  perSecond?: number;
}

export interface LoadResult {
  /** Milliseconds of each request that was answered with 2xx. */
  latencies: number[];
  /** Of all else: how many by status, or by the connection's error. */
  failures: Record<string, number>;
  seconds: number;
  startedAt: number;
  /** Cores that this process took. */
  cores: number;
}

const warmUpRequests = 50;

runOnce(async (input: LoadInput): Promise<LoadResult> => {
  const pool = new BalancedPool(input.origins, { connections: input.connections, pipelining: 1 });
  const load = new Load(input, pool);
  if (input.count === undefined || 'paths' in input.send) await load.warmUp();
  const result = await load.run();
  await pool.close();
  return result;
});

class Load {
  private sent = 0;
  private readonly latencies: number[] = [];
  private readonly failures: Record<string, number> = {};

  constructor(
    private readonly input: LoadInput,
    private readonly pool: BalancedPool,
  ) {}

  /** Connections open, and code that is not compiled yet, are not what is measured. */
  async warmUp(): Promise<void> {
    const { connections } = this.input;
    await Promise.all(Array.from({ length: Math.max(connections, warmUpRequests) }, () => this.sendNext()));
    this.latencies.length = 0;
  }

  async run(): Promise<LoadResult> {
    const { connections, seconds = Infinity, count = Infinity, perSecond } = this.input;
    const [cpu, startedAt, first] = [process.cpuUsage(), now(), this.sent];
    const goesOn = (): boolean => this.sent - first < count && now() - startedAt < seconds * 1_000;
    if (perSecond === undefined) {
      const sendOn = async (): Promise<void> => {
        while (goesOn()) await this.sendNext();
      };
      await Promise.all(Array.from({ length: connections }, sendOn));
    } else {
      await this.sendPaced(perSecond, startedAt, first, goesOn);
    }
    const took = (now() - startedAt) / 1_000;
    const { user, system } = process.cpuUsage(cpu);
    const { latencies, failures } = this;
    return { latencies, failures, seconds: took, startedAt, cores: (user + system) / 1e6 / took };
  }

  /** Each at its own time, whether or not the ones before are answered. */
  private async sendPaced(perSecond: number, startedAt: number, first: number, goesOn: () => boolean): Promise<void> {
    const underWay: Promise<void>[] = [];
    while (goesOn()) {
      const due = startedAt + ((this.sent - first) / perSecond) * 1_000;
      if (due > now()) await pause(due - now());
      underWay.push(this.sendNext());
    }
    await Promise.all(underWay);
  }

  private async sendNext(): Promise<void> {
    const { send } = this.input;
    const index = this.sent++;
    const options =
      'calls' in send
        ? {
            method: 'POST' as const,
            path: '/calls',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(callAt(index, send.calls)),
          }
        : { method: 'GET' as const, path: send.paths[index % send.paths.length] ?? '/' };
    const startedAt = performance.now();
    try {
      const { statusCode, body } = await this.pool.request(options);
      await body.dump();
      if (statusCode < 300) this.latencies.push(performance.now() - startedAt);
      else this.fail(String(statusCode));
    } catch (error) {
      this.fail(error instanceof Error ? error.message : String(error));
    }
  }

  private fail(why: string): void {
    this.failures[why] = (this.failures[why] ?? 0) + 1;
  }
}
