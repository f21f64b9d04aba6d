/** The calls that every system is given, the same ones to each. */

export interface CallPlan {
  /** Time on the line; without it a call stays there until the bench ends it. */
  seconds?: { min: number; max: number };
  /** Sets numbers of one figure apart from another's. */
  firstNumber: number;
}

export interface BenchCall {
  to: string;
  scriptId: string;
  metadata: { seconds?: number };
}

export function callAt(index: number, { seconds, firstNumber }: CallPlan): BenchCall {
  const drawn = seconds && seconds.min + fraction(index) * (seconds.max - seconds.min);
  return {
    to: `+9665${String(10_000_000 + firstNumber + index).padStart(8, '0')}`,
    scriptId: 'bench',
    metadata: drawn === undefined ? {} : { seconds: Math.round(drawn * 1_000) / 1_000 },
  };
}

/** Evenly spread over [0, 1) and the same for the same index: steps of the golden ratio. */
function fraction(index: number): number {
  return (index * 0.6180339887498949) % 1;
}
