import { requireKeysBeyondLoopback, requireUsableKey, warnOfKnownSecrets } from '../access/way-in';
import { createApp } from '../api/app';
import { listen, type ListeningServer } from '../api/server';
import type { Config } from '../config';
import { actOnReport, markingTogether, receiveReport } from '../intake/provider-reports';
import { ReportsInHand } from '../intake/reports-in-hand';
import { Starter } from '../intake/starter';
import { openRedis } from '../slots/redis';
import { Semaphore } from '../slots/semaphore';
import { openReadyDatabase } from './database';
import { openDependencyChecks } from './dependency-checks';
import { DependencyError, runRole, type RoleContext, type RunningRole } from './role';
import { openTemporalClient } from './temporal';

/** Opens the API: it needs PostgreSQL, and serves while everything else is away. */
async function openApi({ config, log }: RoleContext): Promise<RunningRole> {
  requireKeysBeyondLoopback(config);
  const db = await openReadyDatabase(config, log);
  await requireUsableKey(db, config);
  warnOfKnownSecrets(config, log);
  const temporal = openTemporalClient(config);
  const redis = openRedis(config.REDIS_URL, log, 'api');
  // Tried again by itself; until it is there, ended calls' slots are given back by their workflows.
  redis.connect().catch(() => undefined);
  const semaphore = new Semaphore(redis, db, config.MAX_CONCURRENT_CALLS, log);
  const checks = openDependencyChecks(config, log, { db, temporal, redis });
  const stopping = new AbortController();
  const ending = { db, temporal, semaphore, log };
  const asApi = { stopping: stopping.signal, mark: markingTogether(db) };
  const reports = new ReportsInHand(
    {
      receive: (report, namedAttemptId) => receiveReport(ending, report, namedAttemptId),
      act: (reported) => actOnReport(ending, reported, asApi),
    },
    log,
  );
  const app = createApp({
    db,
    config,
    log,
    starter: new Starter({ db, temporal, policy: config, log }),
    reports,
    checks: checks.checks,
    stopping: stopping.signal,
  });
  const server = await listen(app, { host: config.HOST, port: config.PORT }, log).catch((error: unknown) =>
    explain(error, config),
  );
  log.info({ url: server.url }, `API on ${server.url}`);
  return {
    close: async () => {
      stopping.abort();
      await server.close();
      await reports.close();
      await checks.close();
      redis.disconnect();
      await db.destroy();
      // Temporal's connection ends with the process: closed while a handoff is being tried again, it throws past every
      // catch. What was not told stays in its row.
    },
  };
}

function explain(error: unknown, { HOST, PORT }: Pick<Config, 'HOST' | 'PORT'>): ListeningServer {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const remedies = new Map<unknown, string>([
    ['EADDRINUSE', `Port ${PORT} is taken on ${HOST}: stop what listens there, or set PORT.`],
    ['EACCES', `Port ${PORT} may not be opened by this user: set PORT to one above 1023.`],
    ['EADDRNOTAVAIL', `This machine has no address ${HOST}: set HOST to one of its own, or to 0.0.0.0.`],
    ['ENOTFOUND', `The host name ${HOST} is unknown: set HOST to an address of this machine.`],
  ]);
  const remedy = remedies.get(code);
  throw remedy === undefined ? error : new DependencyError(remedy, { cause: error });
}

void runRole('api', openApi);
