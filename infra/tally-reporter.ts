import { writeFileSync } from 'node:fs';
import { tallyFileVariable, type Tally } from './tally';

/** The part of Jest's results that we read (`AggregatedResult` of @jest/reporters). */
interface Results {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  numRuntimeErrorTestSuites: number;
}

/** A Jest reporter: leaves the counts where `npm test` finds them, whatever else Jest was told to print. */
export default class TallyReporter {
  onRunComplete(_contexts: unknown, results: Results): void {
    const file = process.env[tallyFileVariable];
    if (file === undefined) return;
    const tally: Tally = {
      passed: results.numPassedTests,
      // A file that could not even be run has no failed tests, and is not to pass for that.
      failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
      skipped: results.numPendingTests + results.numTodoTests,
    };
    writeFileSync(file, JSON.stringify(tally));
  }
}
