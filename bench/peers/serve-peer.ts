import { createServer } from 'node:http';

import { Agent, request } from 'undici';

import { endWithBench, onQuestion, tellReady } from '../program';
import { callAt, type BenchCall, type CallPlan } from '../requests';

/** What a user would take instead: a queue of jobs with so many workers. */
export interface Peer {
  /** Back when the job is accepted, as durably as the peer does it. */
  add: (call: BenchCall) => Promise<unknown>;
  /** Carries out what was added, at most so many at once. @param carryOut back with the webhook; `dialled` comes before */
  work: (carryOut: (call: BenchCall, dialled?: () => void) => Promise<void>, concurrency: number) => Promise<void>;
  close: () => Promise<void>;
}

/** Gives a peer the same work as the service has: dial the provider, and keep the slot until its webhook came. */
export function servePeer(open: () => Promise<Peer>): void {
  void open().then((peer) => {
    const line = new Line(process.env['PROVIDER_BASE_URL'] ?? '', Number(process.env['PORT']));
    onQuestion<{ kind: 'work'; concurrency: number }>('work', ({ concurrency }) =>
      peer.work((call, dialled) => line.carry(call, dialled), concurrency),
    );
    onQuestion<AddQuestion>('add', (question) => addAll(peer, question));
    endWithBench(() => peer.close());
    line.listen(tellReady);
  });
}

export interface AddQuestion {
  kind: 'add';
  calls: CallPlan;
  /** Adds under way at once. */
  concurrency: number;
  /** How many, or for how long. */
  count?: number;
  seconds?: number;
}

export interface Added {
  latencies: number[];
  seconds: number;
}

async function addAll(
  peer: Peer,
  { calls, concurrency, count = Infinity, seconds = Infinity }: AddQuestion,
): Promise<Added> {
  const latencies: number[] = [];
  const startedAt = performance.now();
  let next = 0;
  const addOn = async (): Promise<void> => {
    while (next < count && performance.now() - startedAt < seconds * 1_000) {
      const askedAt = performance.now();
      await peer.add(callAt(next++, calls));
      latencies.push(performance.now() - askedAt);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, addOn));
  return { latencies, seconds: (performance.now() - startedAt) / 1_000 };
}

class Line {
  private readonly agent = new Agent({ connections: 64, pipelining: 1 });
  private readonly waiting = new Map<string, () => void>();
  private jobs = 0;

  constructor(
    private readonly provider: string,
    private readonly port: number,
  ) {}

  listen(ready: () => void): void {
    const server = createServer((incoming, outgoing) => {
      incoming.resume().on('end', () => {
        this.waiting.get(incoming.url ?? '')?.();
        outgoing.writeHead(200, { 'content-type': 'application/json' }).end('{"stored":true}');
      });
    });
    server.listen(this.port, '127.0.0.1', ready);
  }

  async carry(call: BenchCall, dialled: () => void = () => undefined): Promise<void> {
    const path = `/webhook/${this.jobs++}`;
    const reported = new Promise<void>((resolve) => this.waiting.set(path, resolve));
    const { body, statusCode } = await request(`${this.provider}/api/v1/calls`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...call, webhookUrl: `http://127.0.0.1:${this.port}${path}` }),
      dispatcher: this.agent,
    });
    await body.dump();
    if (statusCode !== 202) throw new Error(`the provider answered ${statusCode}`);
    dialled();
    await reported;
    this.waiting.delete(path);
  }
}
