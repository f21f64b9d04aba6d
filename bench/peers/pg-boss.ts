import PgBoss from 'pg-boss';

import type { BenchCall } from '../requests';
import { servePeer } from './serve-peer';

const queueName = 'calls';
const attempts = { retryLimit: 2, retryDelay: 5, retryBackoff: true };
/** As often as it may be. */
const pollingIntervalSeconds = 0.5;

servePeer(async () => {
  const boss = new PgBoss({ connectionString: process.env['DATABASE_URL'] ?? '', max: 30 });
  boss.on('error', (error) => process.stderr.write(`${String(error)}\n`));
  await boss.start();
  await boss.createQueue(queueName);
  return {
    add: (call) => boss.send(queueName, call, attempts),
    work: async (carryOut, concurrency) => {
      // It has no other way of working on several at once that does not wait for the slowest of a batch.
      for (let worker = 0; worker < concurrency; worker++) {
        await boss.work<BenchCall>(queueName, { pollingIntervalSeconds, batchSize: 1 }, async (jobs) => {
          for (const { data } of jobs) await carryOut(data);
        });
      }
    },
    close: () => boss.stop({ graceful: false }),
  };
});
