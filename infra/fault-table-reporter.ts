import { renderFaults, takeFaults } from './fault-table';

/** A Jest reporter: prints what the faults of the run did, once all have been rehearsed. */
export default class FaultTableReporter {
  onRunComplete(): void {
    const rows = takeFaults(process.env['DATA_DIR'] ?? '.data');
    if (rows.length > 0) process.stdout.write(`\n${renderFaults(rows)}\n\n`);
  }
}
