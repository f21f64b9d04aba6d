import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { ConfigError, parseSettings } from '../src/config';
import { createLog } from '../src/log';
import { seededOutcomes } from './dial-plan';
import { listen } from './listen';
import { createMockProvider } from './mock-provider';
import { mockSettingsSchema } from './settings';

const dropSeconds = 5;

async function main(): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const settings = parseSettings(mockSettingsSchema, process.env);
  const log = createLog('provider', settings.LOG_LEVEL);
  const outcomes = {
    seed: settings.MOCK_SEED ?? randomBytes(8).toString('hex'),
    minSeconds: settings.MOCK_MIN_SECONDS,
    maxSeconds: settings.MOCK_MAX_SECONDS,
    successRate: settings.MOCK_SUCCESS_RATE,
  };
  const provider = createMockProvider({
    webhookSecret: settings.WEBHOOK_SECRET,
    webhookSignedContent: settings.WEBHOOK_SIGNED_CONTENT,
    decide: seededOutcomes(outcomes),
    log,
  });
  const server = await listen(provider, settings.HOST, settings.MOCK_PORT);
  log.info({ url: server.url, ...outcomes }, 'mock provider ready');

  let stopping = false;
  const stop = (reason: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ reason, ...provider.stats() }, 'mock provider stopping');
    // Its calls end with it. Untold, they would be waited for until MAX_CALL_SECONDS; a webhook nobody takes is not.
    void Promise.race([
      provider.drop('the provider was stopped'),
      pause(dropSeconds * 1_000, undefined, { ref: false }),
    ]).then(async () => {
      await server.close();
      // An open channel to the parent would keep the process alive.
      if (process.connected) process.disconnect();
    });
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('disconnect', () => stop('disconnect'));
}

function explain(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return `Port taken (${error.message}). Set MOCK_PORT to a free one, or stop what listens there.`;
  }
  return error instanceof Error ? error.message : String(error);
}

main().catch((error: unknown) => {
  process.stderr.write(`mock provider: ${explain(error)}\n`);
  process.exitCode = 1;
});
