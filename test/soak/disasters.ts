import { workflowId } from '../../src/call/names';
import type { Stage } from '../faults/stage';
import { killBackends } from '../support/kill-backends';
import type { OwnServices } from '../support/own-services';
import { temporal, temporalCommand, type OperatorTool } from '../support/temporal-cli';
import type { Proxy } from '../support/toxiproxy';
import type { Chance } from '../support/chance';
import type { Crew } from './crew';

export interface Theatre {
  stage: Stage;
  own: OwnServices;
  crew: Crew;
  /** The ways on which the workers and one API reach what they need. */
  ways: readonly Proxy[];
  /** Waits; returns early when the soak ends. */
  pause: (seconds: number) => Promise<void>;
}

type Disaster = (theatre: Theatre, chance: Chance) => Promise<void>;

const lasting = (chance: Chance): number => chance.between(1, 10);

/** What may happen to each victim, one thing at a time; different victims are struck independently of each other. */
export const disasters: Readonly<Record<string, { everySeconds: number; kinds: Readonly<Record<string, Disaster>> }>> =
  {
    process: {
      everySeconds: 25,
      kinds: {
        killed: async ({ crew }, chance) => {
          const running = crew.running();
          if (running.length > 0) await chance.pick(running).crash();
        },
        'stopped in good order': async ({ crew }, chance) => {
          const running = crew.running();
          if (running.length > 0) await chance.pick(running).stop();
        },
        paused: async ({ crew, pause }, chance) => {
          const running = crew.running();
          if (running.length === 0) return;
          const paused = chance.pick(running);
          paused.signal('SIGSTOP');
          await pause(lasting(chance) * 2);
          paused.signal('SIGCONT');
        },
        'all workers killed': async ({ crew }) => {
          await Promise.all(crew.running('worker').map((worker) => worker.crash()));
        },
      },
    },
    redis: {
      everySeconds: 40,
      kinds: {
        flushed: async ({ stage }) => {
          await stage.redis.flushall();
        },
        'killed, back with its data': async ({ own }) => {
          await own.crash('redis');
          await own.start('redis');
        },
        'killed, back without its data': async ({ own }) => {
          await own.crash('redis');
          own.removeData('redis');
          await own.start('redis');
        },
        hangs: async ({ own, pause }, chance) => {
          own.pause('redis');
          await pause(lasting(chance));
          own.resume('redis');
        },
        full: async ({ stage, pause }, chance) => {
          await stage.redis.config('SET', 'maxmemory', '1mb');
          await pause(lasting(chance));
          await stage.redis.config('SET', 'maxmemory', '0');
        },
      },
    },
    postgres: {
      everySeconds: 60,
      kinds: {
        'backends killed': async ({ stage }) => {
          await killBackends(stage.service.database.db);
        },
        restarted: async ({ own, pause }, chance) => {
          await own.stop('postgres');
          await pause(lasting(chance));
          await own.start('postgres');
        },
        hangs: async ({ own, pause }, chance) => {
          own.pause('postgres');
          await pause(lasting(chance));
          own.resume('postgres');
        },
      },
    },
    temporal: {
      everySeconds: 75,
      kinds: {
        'killed and restarted': async ({ own, pause }, chance) => {
          await own.crash('temporal');
          await pause(lasting(chance));
          await own.start('temporal');
        },
        hangs: async ({ own, pause }, chance) => {
          own.pause('temporal');
          await pause(lasting(chance));
          own.resume('temporal');
        },
      },
    },
    kafka: {
      everySeconds: 90,
      kinds: {
        'killed and restarted': async ({ own, pause }, chance) => {
          await own.crash('kafka');
          await pause(lasting(chance));
          await own.start('kafka');
        },
        hangs: async ({ own, pause }, chance) => {
          own.pause('kafka');
          await pause(lasting(chance) * 2);
          own.resume('kafka');
        },
      },
    },
    network: {
      everySeconds: 20,
      kinds: {
        cut: async (theatre, chance) => spoil(theatre, chance, (way) => way.cut()),
        'replies lost': async (theatre, chance) => spoil(theatre, chance, (way) => way.loseReplies()),
        hangs: async (theatre, chance) => spoil(theatre, chance, (way) => way.hang()),
      },
    },
    operator: {
      everySeconds: 8,
      kinds: {
        terminates: (theatre, chance) => operate(theatre, chance, (tool, id) => tool.terminate(id)),
        cancels: (theatre, chance) => operate(theatre, chance, (tool, id) => tool.cancel(id)),
        resets: (theatre, chance) => operate(theatre, chance, (tool, id) => tool.reset(id)),
        'resets to the last task': (theatre, chance) =>
          operate(theatre, chance, (tool, id) => tool.reset(id, { to: 'LastWorkflowTask' })),
      },
    },
  };

async function spoil({ ways, pause }: Theatre, chance: Chance, how: (way: Proxy) => Promise<void>): Promise<void> {
  const way = chance.pick(ways);
  await how(way);
  await pause(lasting(chance));
  await way.restore();
}

/** On a call that is not final yet, where there is one. */
async function operate(
  { stage }: Theatre,
  chance: Chance,
  act: (tool: OperatorTool, workflowId: string) => Promise<void>,
): Promise<void> {
  const active = await stage.service.database.db
    .selectFrom('calls')
    .select('id')
    .where('status', 'in', ['PENDING', 'IN_PROGRESS'])
    .orderBy('seq')
    .limit(50)
    .execute();
  if (active.length === 0) return;
  const { settings, namespace } = stage.service;
  const tool = temporal(namespace.namespace, await temporalCommand(settings['TEMPORAL_ADDRESS']));
  await act(tool, workflowId(chance.pick(active).id));
}
