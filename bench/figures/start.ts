import { join } from 'node:path';

import { InfraError } from '../../infra/infra-error';
import { freshPorts } from '../../infra/test-run';
import { pickFreePorts } from '../../infra/tcp-port';
import { waitUntil } from '../../infra/wait-until';
import { ours, type Measure } from '../book';
import type { Child } from '../children';
import type { Figure } from '../figure';
import { Service } from '../service';
import type { Stage } from '../stage';
import { postCalls } from '../systems';
import { untilOnTheLine } from './hand-over';

const figure = 'start';
const slots = 30;
const readyWithinSeconds = 900;

const again: Measure = { figure, what: 'second npm start to ready', unit: 's', better: 'less', target: 15 };
const stopping: Measure = {
  figure,
  what: `worker, SIGTERM to exit, ${slots} live calls`,
  unit: 's',
  better: 'less',
  target: 5,
};

/** How long one waits for it to be there, and to be gone. */
export const start: Figure = {
  name: figure,
  about: 'npm start where everything is installed and was started before; the end of a worker',
  round: async (stage, book) => {
    const [[port = 0, mockPort = 0], ports] = await Promise.all([pickFreePorts(2), freshPorts()]);
    const env = {
      ...ports,
      INFRA: 'native',
      DATA_DIR: join(stage.backing.places.data, 'start'),
      PORT: String(port),
      MOCK_PORT: String(mockPort),
    };
    await (await untilReady(stage, env)).child.stop();
    const second = await untilReady(stage, env);
    book.add(again, ours, second.seconds);
    await second.child.stop();
    book.add(stopping, ours, await stopBusyWorker(stage));
  },
};

async function untilReady(stage: Stage, env: Record<string, string>): Promise<{ child: Child; seconds: number }> {
  const startedAt = performance.now();
  const plan = { name: `start-${Math.round(startedAt)}`, script: '../infra/bootstrap.mjs', args: ['start'], env };
  const child = stage.children.start(plan);
  // Said only when every role is ready.
  const told = (): boolean => child.output().includes('Stop: Ctrl-C');
  const came = await waitUntil(() => told() || child.ended, {
    deadlineSeconds: readyWithinSeconds,
    pollMilliseconds: 50,
    signal: stage.signal,
  });
  if (!came || child.ended) throw new InfraError(`npm start did not become ready:\n${child.output()}`);
  return { child, seconds: (performance.now() - startedAt) / 1_000 };
}

async function stopBusyWorker(stage: Stage): Promise<number> {
  const service = await Service.open(stage);
  try {
    await service.start('api', 'bridge');
    const worker = await service.run('worker');
    await postCalls(stage, service, { calls: { firstNumber: 0 }, count: slots, connections: 1 });
    await untilOnTheLine(stage, slots);
    return await worker.stop();
  } finally {
    await service.close();
  }
}
