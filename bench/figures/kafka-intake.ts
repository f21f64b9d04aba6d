import { InfraError } from '../../infra/infra-error';
import { waitUntil } from '../../infra/wait-until';
import { topics } from '../../src/call/names';
import { limitOf, ours, type Measure } from '../book';
import type { Figure } from '../figure';
import type { InsertInput, InsertResult } from '../limits/insert-rows';
import { callAt } from '../requests';
import { Service } from '../service';
import { createDatabase, query, type Stage } from '../stage';
import { watchCores } from '../systems';
import { emptyTopics, sendMany } from '../topics';

const figure = 'kafka-intake';
/** As the bridge does it. */
const rowsPerStatement = 500;

const rate: Measure = {
  figure,
  what: 'requests waiting on the topic → durable',
  unit: 'a second',
  better: 'more',
  target: 8_000,
  targetOfLimit: 0.8,
};

/** How fast one bridge takes in what has gathered on the topic. */
export const kafkaIntake: Figure = {
  name: figure,
  about: 'requests that wait on calls.requests, until each is a row, and none is two',
  round: async (stage, book, round) => {
    const count = stage.quick ? 2_000 : 50_000;
    const brokers = stage.backing.environment['KAFKA_BROKERS'] ?? '';
    const service = await Service.open(stage);
    try {
      await emptyTopics(brokers, [topics.requests]);
      const requests = Array.from({ length: count }, (_, index) => JSON.stringify(callAt(index, { firstNumber: 0 })));
      await sendMany(brokers, topics.requests, requests);
      await service.start('bridge');
      const taken = watchCores(stage, service.pids);
      book.add(rate, ours, await takenInPerSecond(stage, service, count));
      book.note(figure, round, ours, taken());
      await service.untilAllIsTold();
    } finally {
      await service.close();
      await emptyTopics(brokers, [topics.requests]);
    }
    book.add(rate, limitOf(`rows, ${rowsPerStatement} a commit`), await insertedPerSecond(stage));
  },
};

/** Of those after the first commit, from that one to the last. */
async function takenInPerSecond(stage: Stage, { databaseUrl }: Service, count: number): Promise<number> {
  const all = async (): Promise<boolean> => {
    const [found] = await query<{ count: number }>(databaseUrl, 'select count(*)::int as count from calls');
    return (found?.count ?? 0) >= count;
  };
  await waitUntil(all, { deadlineSeconds: 600, pollMilliseconds: 500, signal: stage.signal });
  const [result] = await query<{ calls: number; numbers: number; later: number; seconds: number }>(
    databaseUrl,
    `select count(*)::int as calls, count(distinct to_number)::int as numbers,
            count(*) filter (where created_at > first.at)::int as later,
            extract(epoch from max(created_at) - min(first.at))::float as seconds
       from calls, (select min(created_at) as at from calls) as first`,
  );
  if (result?.calls !== count || result.numbers !== count)
    throw new InfraError(`${count} requests became ${JSON.stringify(result)}`);
  return result.later / result.seconds;
}

async function insertedPerSecond(stage: Stage): Promise<number> {
  const database = await createDatabase(stage);
  try {
    const input: InsertInput = { url: database.url, connections: 1, rowsPerStatement, seconds: stage.quick ? 2 : 5 };
    const plan = { name: 'insert-rows', script: 'bench/limits/insert-rows.js' };
    return (await stage.children.run<InsertResult>(plan, input)).perSecond;
  } finally {
    await database.drop();
  }
}
