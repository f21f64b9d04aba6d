import { readFileSync } from 'node:fs';

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

export const tallyFileVariable = 'TEST_TALLY_FILE';

/** @returns undefined when Jest ended without having written one */
export function readTally(file: string): Tally | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Tally;
  } catch {
    return undefined;
  }
}

/** `12 passed, 0 failed`, the line that CI reads. */
export function tallyLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** Jest's own exit code, but a run that executed nothing has shown nothing. */
export function exitCodeFor(jestCode: number | null, tally: Tally | undefined): number {
  if (jestCode !== 0) return jestCode ?? 1;
  if (!tally || tally.passed + tally.failed === 0 || tally.failed > 0) return 1;
  return 0;
}
