import { limitOf, ours, type Who } from './book';
import { coresBetween } from './cpu';
import { coresTold } from './report';
import type { LoadInput, LoadResult } from './load';
import { bareHandOver, RunningPeer, type ServedName } from './peer';
import type { CallPlan } from './requests';
import { Service } from './service';
import { cpuOf, type Stage } from './stage';

/** What carries calls, ready to be given some: the service, or a peer in its place. */
export interface System {
  who: Who;
  pids: Readonly<Record<string, number>>;
  /** Back when all are accepted. */
  add: (plan: CallPlan, count: number) => Promise<void>;
  close: () => Promise<void>;
}

const addsAtOnce = 16;

/** The service first, then each peer and the limit, each on fresh state and alone, with so many slots. */
export async function forEachSystem(
  stage: Stage,
  { peers, slots }: { peers: readonly ServedName[]; slots: number },
  measure: (system: System) => Promise<void>,
): Promise<void> {
  const openings = [() => openOurs(stage, slots), ...peers.map((name) => () => openPeer(stage, name, slots))];
  for (const open of openings) {
    const system = await open();
    try {
      await measure(system);
    } finally {
      await system.close();
    }
  }
}

async function openOurs(stage: Stage, slots: number): Promise<System> {
  const service = await Service.open(stage, { MAX_CONCURRENT_CALLS: String(slots) });
  await service.start('api', 'worker', 'bridge');
  return {
    who: ours,
    pids: service.pids,
    add: async (calls, count) => {
      await postCalls(stage, service, { calls, count, connections: addsAtOnce });
    },
    close: () => service.close(),
  };
}

async function openPeer(stage: Stage, name: ServedName, slots: number): Promise<System> {
  const peer = await RunningPeer.open(stage, name);
  await peer.work(slots);
  return {
    who: name === bareHandOver ? limitOf('workflows of this shape without a store') : name,
    pids: { [name]: peer.pid },
    add: async (plan, count) => {
      await peer.add({ calls: plan, count, concurrency: addsAtOnce });
    },
    close: () => peer.close(),
  };
}

/** @returns milliseconds of each. @throws Error unless all are accepted */
export async function postCalls(
  stage: Stage,
  { urls }: Service,
  { calls, ...load }: Pick<LoadInput, 'connections' | 'count' | 'perSecond'> & { calls: CallPlan },
): Promise<number[]> {
  const { latencies, failures } = await runLoad(stage, { origins: urls, send: { calls }, ...load });
  if (Object.keys(failures).length > 0) throw new Error(`not all calls were accepted: ${JSON.stringify(failures)}`);
  return latencies;
}

export function runLoad(stage: Stage, input: LoadInput): Promise<LoadResult> {
  return stage.children.run<LoadResult>({ name: 'load', script: 'bench/load.js' }, input);
}

/** @returns a function that tells what each process has taken of the machine since */
export function watchCores(stage: Stage, pids: Readonly<Record<string, number>>): () => string {
  const [before, startedAt] = [cpuOf(stage, pids), performance.now()];
  return () => coresTold(coresBetween(before, cpuOf(stage, pids), (performance.now() - startedAt) / 1_000));
}
