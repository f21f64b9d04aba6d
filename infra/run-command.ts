import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../src/config';
import { InfraError, Interrupted } from './infra-error';
import { placesFor } from './places';
import { StopRequests } from './stop-requests';

const interrupted = 130;

/** Runs one of our commands to its exit code; what a person can mend is told in one line. */
export function runCommand(main: (stop: StopRequests, args: string[]) => Promise<number>): void {
  const stop = new StopRequests();
  main(stop, process.argv.slice(2)).then(
    (code) => process.exit(code),
    (error: unknown) => {
      if (error instanceof Interrupted) process.exit(interrupted);
      const mendable = error instanceof InfraError || error instanceof ConfigError;
      process.stderr.write(`${mendable ? error.message : describe(error)}\n`);
      process.exit(1);
    },
  );
}

/** What the environment already says wins over `.env`. */
export function loadEnvironmentFile(): void {
  const file = join(placesFor().checkout, '.env');
  if (existsSync(file)) process.loadEnvFile(file);
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
