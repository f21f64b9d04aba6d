import { Queue, Worker } from 'bullmq';

import type { BenchCall } from '../requests';
import { servePeer } from './serve-peer';

const queueName = 'calls';
const attempts = { attempts: 3, backoff: { type: 'exponential', delay: 5_000 } };

servePeer(() => {
  const { hostname: host, port } = new URL(process.env['REDIS_URL'] ?? '');
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  const queue = new Queue<BenchCall>(queueName, { connection });
  let worker: Worker<BenchCall> | undefined;
  return Promise.resolve({
    add: (call) => queue.add('call', call, attempts),
    work: async (carryOut, concurrency) => {
      worker = new Worker<BenchCall>(queueName, ({ data }) => carryOut(data), { connection, concurrency });
      await worker.waitUntilReady();
    },
    close: async () => {
      await worker?.close(true);
      await queue.close();
    },
  });
});
