import { DefaultLogger, Runtime } from '@temporalio/worker';

let installed = false;

/** Temporal's SDK keeps to itself what is no error; it can be told so once a process. */
export function quietRuntime(): void {
  if (!installed) Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
  installed = true;
}
