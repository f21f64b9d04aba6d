import { runCommand } from './run-command';
import { runTests } from './test-run';

runCommand(runTests);
