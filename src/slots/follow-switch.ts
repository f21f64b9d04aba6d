import type { Client } from '@temporalio/client';

import type { Config } from '../config';
import type { Logger } from '../log';
import { controlNotices } from '../store/control';
import { startLeader, type Leader } from '../store/leader';
import { sessionLocks } from '../store/session';
import type { Semaphore } from './semaphore';
import { signalGrants } from './signal-grants';

export interface FollowDeps {
  config: Pick<Config, 'DATABASE_URL'>;
  temporal: Client;
  semaphore: Semaphore;
  log: Logger;
}

/**
 * Tells Redis of each turn of the pause switch as soon as it is in the record, and those who get a slot by it. Of any number
 * of workers one does; should none, the reconciler comes round to it, and until then the claim of a slot refuses.
 */
export function followSwitch({ config, temporal, semaphore, log }: FollowDeps): Leader {
  return startLeader({
    url: config.DATABASE_URL,
    name: 'call-orchestrator pause switch',
    locks: { leads: sessionLocks.pauseSwitch, sleeps: sessionLocks.pauseSwitchSleeps },
    channel: controlNotices,
    look: async () => {
      const { grants } = await semaphore.adoptSwitch();
      await signalGrants({ temporal, semaphore }, grants);
      return grants.length;
    },
    fullLook: Infinity,
    // What is away is told of by those who need it more.
    onFailure: (error) => log.debug({ err: error }, 'pause switch: not looked at; trying again'),
    onRecovery: (failures) => log.debug({ failures }, 'pause switch: looked at again'),
  });
}
