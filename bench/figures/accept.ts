import { pickFreePorts } from '../../infra/tcp-port';
import { limitOf, ours, type Book, type Measure, type Who } from '../book';
import { coresBetween } from '../cpu';
import type { Figure } from '../figure';
import type { InsertInput, InsertResult } from '../limits/insert-rows';
import type { LoadResult } from '../load';
import { peerNames, RunningPeer, type PeerName } from '../peer';
import { coresTold } from '../report';
import { Service } from '../service';
import { quantile } from '../spread';
import { cpuOf, createDatabase, type Stage } from '../stage';
import { runLoad } from '../systems';

const figure = 'accept';
const manyConnections = [32, 256] as const;
const [fewest] = manyConnections;

const rate = (connections: number): Measure => ({
  figure,
  what: `POST /calls, ${connections} connections`,
  unit: 'a second',
  better: 'more',
  target: 3_000,
  targetOfLimit: 0.8,
});

const slowest = (connections: number): Measure => ({
  figure,
  what: `POST /calls, ${connections} connections, p99`,
  unit: 'ms',
  better: 'less',
  ...(connections === fewest && { target: 60 }),
});

/** Of the same load, before each that counts: V8 has compiled by then what a service that runs for days has compiled. */
const warmUpSeconds = 3;
/** Its numbers, beyond those of the load that counts. */
const warmUpNumbers = 500_000;

/** How fast calls are taken in, each durable before it is answered. */
export const accept: Figure = {
  name: figure,
  about: 'POST /calls with unique numbers, durable in PostgreSQL before the answer',
  round: async (stage, book, round) => {
    const seconds = stage.quick ? 2 : 10;
    await acceptOurs(stage, book, round, seconds);
    for (const name of peerNames) await addToPeer(stage, book, name, seconds);
    await measureLimits(stage, book, seconds);
  },
};

/** The API alone: what becomes of the calls after that is what other figures measure. Temporal is told of them as ever. */
async function acceptOurs(stage: Stage, book: Book, round: number, seconds: number): Promise<void> {
  const service = await Service.open(stage);
  try {
    await service.start('api');
    for (const [index, connections] of manyConnections.entries()) {
      const firstNumber = index * 1_000_000;
      const load = { origins: service.urls, connections };
      await warmUp(stage, { ...load, firstNumber, seconds });
      const before = cpuOf(stage, service.pids);
      const result = await runLoad(stage, { ...load, send: { calls: { firstNumber } }, seconds });
      const cores = coresBetween(before, cpuOf(stage, service.pids), result.seconds);
      write(book, connections, ours, result);
      const told = { ...cores, load: result.cores };
      book.note(
        figure,
        round,
        ours,
        `${connections} connections: ${coresTold(told)} ${JSON.stringify(result.failures)}`,
      );
    }
  } finally {
    await service.close();
  }
}

/** @param load that is to be measured next */
async function warmUp(
  stage: Stage,
  load: { origins: string[]; connections: number; firstNumber: number; seconds: number },
): Promise<void> {
  const { origins, connections, firstNumber, seconds } = load;
  const send = { calls: { firstNumber: firstNumber + warmUpNumbers } };
  await runLoad(stage, { origins, connections, send, seconds: Math.min(seconds, warmUpSeconds) });
}

/** A peer's own `add` in its own process, without HTTP before it. */
async function addToPeer(stage: Stage, book: Book, name: PeerName, seconds: number): Promise<void> {
  const durabilities = name === 'bullmq' ? [true, false] : [true];
  for (const durableRedis of durabilities) {
    const peer = await RunningPeer.open(stage, name, { durableRedis });
    try {
      const who = durableRedis ? `${name} add` : `${name} add (not durable)`;
      for (const connections of manyConnections) {
        const load = { calls: { firstNumber: 0 }, concurrency: connections };
        await peer.add({ ...load, seconds: Math.min(seconds, warmUpSeconds) });
        const added = await peer.add({ ...load, seconds });
        write(book, connections, who, added);
      }
    } finally {
      await peer.close();
    }
  }
}

async function measureLimits(stage: Stage, book: Book, seconds: number): Promise<void> {
  const database = await createDatabase(stage);
  try {
    for (const connections of manyConnections) {
      const inputs = { bare: { DATABASE_URL: database.url }, 'HTTP alone': {} };
      for (const [what, env] of Object.entries(inputs)) {
        write(book, connections, limitOf(what), await loadBare(stage, { connections, seconds, env }));
      }
    }
    const input: InsertInput = { url: database.url, connections: fewest, rowsPerStatement: 1, seconds };
    const plan = { name: 'insert-rows', script: 'bench/limits/insert-rows.js' };
    const { perSecond } = await stage.children.run<InsertResult>(plan, input);
    book.add(rate(fewest), 'a row a commit, without HTTP', perSecond);
  } finally {
    await database.drop();
  }
}

async function loadBare(
  stage: Stage,
  { connections, seconds, env }: { connections: number; seconds: number; env: Record<string, string> },
): Promise<LoadResult> {
  const [port = 0] = await pickFreePorts(1);
  const plan = { name: 'bare-accept', script: 'bench/limits/bare-accept.js', env: { ...env, PORT: String(port) } };
  const server = await stage.children.startReady(plan);
  const firstNumber = connections * 1_000;
  const load = { origins: [`http://127.0.0.1:${port}`], connections };
  await warmUp(stage, { ...load, firstNumber, seconds });
  const result = await runLoad(stage, { ...load, send: { calls: { firstNumber } }, seconds });
  await server.stop();
  return result;
}

function write(
  book: Book,
  connections: number,
  who: Who,
  { latencies, seconds }: { latencies: number[]; seconds: number },
): void {
  book.add(rate(connections), who, latencies.length / seconds);
  book.add(slowest(connections), who, quantile(latencies, 0.99));
}
