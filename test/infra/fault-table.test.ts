import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { noteFault, renderFaults, takeFaults, type FaultRow } from '../../infra/fault-table';

const row = (number: number, fault: string): FaultRow => ({
  ...{ number, fault, fired: 1, calls: 80, lost: 0, doubleDials: 0, peak: 30, limit: 30, peakPerNumber: 1 },
  ...{ slotsLeft: 0, convergedSeconds: 18.24 },
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fault-table-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('rows noted by several processes are one table, in the order of their numbers', () => {
  noteFault(directory, row(12, 'Temporal stopped at POST'));
  noteFault(directory, row(4, 'Redis flushed'));

  const rows = takeFaults(directory);

  expect(renderFaults(rows).split('\n')).toEqual([
    ' #  fault                     fired  calls  lost  double dials      peak  per number  slots left  converged',
    ' 4  Redis flushed                 1     80     0             0  30 of 30           1           0     18.2 s',
    '12  Temporal stopped at POST      1     80     0             0  30 of 30           1           0     18.2 s',
  ]);
  expect(takeFaults(directory)).toEqual([]);
});
