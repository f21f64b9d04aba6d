import { median } from './spread';

/** What is measured: one line of the table. */
export interface Measure {
  figure: string;
  what: string;
  unit: string;
  better: 'more' | 'less';
  /** What the service must reach. */
  target?: number;
  /** The target is that share of the limit, and holds where it is easier than `target` or stands alone. */
  targetOfLimit?: number;
  /** Also met within so many times the value of another line, of the same figure. */
  within?: { times: number; of: string };
}

/** `ours`, a peer's name, or `limit: …` of what the machine can do at all. */
export type Who = string;

export const ours: Who = 'ours';
export const limitOf = (what: string): Who => `limit: ${what}`;
const isLimit = (who: Who): boolean => who.startsWith('limit: ');

export interface Line extends Measure {
  /** A value a round, by whom. */
  values: Record<Who, number[]>;
}

/** Everything that was measured, in the order in which it came first. */
interface Note {
  figure: string;
  round: number;
  who: Who;
  note: string;
}

/** What is read of a book that was written down. */
export interface KeptBook {
  lines: Line[];
  notes: Note[];
}

export class Book {
  readonly lines: Line[] = [];
  /** What explains the values: cores taken by each process, counts. */
  readonly notes: Note[] = [];

  /** @param measuredAnew figures of which nothing stays */
  goOnFrom(kept: KeptBook | undefined, measuredAnew: readonly string[]): void {
    const stays = ({ figure }: { figure: string }): boolean => !measuredAnew.includes(figure);
    this.lines.push(...(kept?.lines ?? []).filter(stays));
    this.notes.push(...(kept?.notes ?? []).filter(stays));
  }

  add(measure: Measure, who: Who, value: number): void {
    const line = this.lineOf(measure);
    (line.values[who] ??= []).push(value);
  }

  note(figure: string, round: number, who: Who, note: string): void {
    this.notes.push({ figure, round, who, note });
  }

  /** For people. */
  notesOf(figure: string): string[] {
    const own = this.notes.filter((one) => one.figure === figure);
    return own.map(({ round, who, note }) => `  round ${round}, ${who}: ${note}`);
  }

  private lineOf(measure: Measure): Line {
    const known = this.lines.find(({ figure, what }) => figure === measure.figure && what === measure.what);
    if (known) return known;
    const line: Line = { ...measure, values: {} };
    this.lines.push(line);
    return line;
  }
}

export interface Verdict {
  target: number | undefined;
  met: boolean | undefined;
}

/** @returns whether the median of our rounds reaches the target; undefined where there is none */
export function verdictOn(line: Line, lines: readonly Line[]): Verdict {
  const { better } = line;
  const own = line.values[ours];
  const targets = targetsOf(line, lines);
  if (own === undefined || targets.length === 0) return { target: targets[0], met: undefined };
  // The easiest: where a target proves beyond what the machine can do, a share of that is the target.
  const target = better === 'more' ? Math.min(...targets) : Math.max(...targets);
  const reached = median(own);
  return { target, met: better === 'more' ? reached >= target : reached <= target };
}

function targetsOf(line: Line, lines: readonly Line[]): number[] {
  const { target, targetOfLimit, within, figure } = line;
  const limits = Object.entries(line.values).flatMap(([who, values]) => (isLimit(who) ? median(values) : []));
  const base = within && lines.find((other) => other.figure === figure && other.what === within.of)?.values[ours];
  return [
    ...(target === undefined ? [] : [target]),
    ...(targetOfLimit === undefined || limits.length === 0 ? [] : [targetOfLimit * Math.min(...limits)]),
    ...(within && base ? [within.times * median(base)] : []),
  ];
}

/** The others' values of a line: peers, then limits. */
export function besides(line: Line): { peers: [Who, number[]][]; limits: [Who, number[]][] } {
  const others = Object.entries(line.values).filter(([who]) => who !== ours);
  return { peers: others.filter(([who]) => !isLimit(who)), limits: others.filter(([who]) => isLimit(who)) };
}
