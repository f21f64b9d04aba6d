import { runCommand } from './run-command';
import { runTests } from './test-run';

/** `npm run pictures`: takes the pictures of the live page in docs/pictures anew. */
runCommand((stop) => runTests(stop, ['--testMatch', '**/test/page/pictures.ts', '--runInBand']));
