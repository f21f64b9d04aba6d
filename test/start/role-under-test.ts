import { runRole } from '../../src/start/role';

/** A role whose main thread stands still once it has written a line, until whoever reads that may have acted on it. */
const [, , , how] = process.argv;
void runRole('api', ({ log }) => {
  log.info('opening');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  if (how === 'throws') {
    setImmediate(() => {
      log.info('about to throw');
      throw new Error('thrown where nobody catches it');
    });
  }
  return Promise.resolve({ close: () => Promise.resolve() });
});
