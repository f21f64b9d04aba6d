import { handOvers, slotUse } from '../line';
import { quantile } from '../spread';
import type { LineEntry } from '../stub-provider';
import { Agenda } from './agenda';
import { besides, handOver, milliseconds, type Deployment, type Stage } from './parameters';
import { QueueAt } from './queue-at';
import { Random } from './random';

export interface Plan {
  slots: number;
  /** Time on the line, evenly spread. */
  seconds: { min: number; max: number };
  calls: number;
  deployment: Deployment;
  /** Of the times of all works: see `Random.around`. */
  spread: number;
  /** Where nobody queues. */
  unqueued?: Readonly<Record<'webhook' | 'dial', number>>;
  seed: number;
}

export interface Carried {
  /** Reckoned from the provider's journal, as in the bench. */
  use: number;
  handOver: { p50: number; p99: number };
}

/**
 * Carries calls by the slots, with as many behind them as it takes: each end of a call hands its slot on, stage by stage,
 * while the calls around it ask the same Temporal, PostgreSQL and Redis for theirs.
 */
export function carryCalls(plan: Plan): Carried {
  const line = new SimulatedLine(plan);
  line.run();
  const taken = handOvers(line.journal, plan.slots);
  return {
    use: slotUse(line.journal, plan.slots),
    handOver: { p50: quantile(taken, 0.5), p99: quantile(taken, 0.99) },
  };
}

class SimulatedLine {
  readonly journal: LineEntry[] = [];
  private readonly agenda = new Agenda();
  private readonly random: Random;
  private readonly queues: Record<'temporal' | 'postgres' | 'redis', QueueAt>;
  private granted = 0;

  constructor(private readonly plan: Plan) {
    const { deployment, spread, seed } = plan;
    this.random = new Random(seed);
    const at = (name: 'temporal' | 'postgres' | 'redis'): QueueAt =>
      new QueueAt(deployment[name], this.agenda, this.random, spread);
    this.queues = { temporal: at('temporal'), postgres: at('postgres'), redis: at('redis') };
  }

  run(): void {
    for (let slot = 0; slot < this.plan.slots; slot++) {
      this.granted++;
      this.dialled();
    }
    this.agenda.runToTheEnd();
  }

  private dialled(): void {
    const { seconds } = this.plan;
    const entry: LineEntry = { dialedAt: this.agenda.now };
    this.journal.push(entry);
    this.inTurn(besides.dialled);
    this.agenda.after(this.random.between(seconds.min, seconds.max) * 1_000, () => {
      entry.endedAt = this.agenda.now;
      this.ended();
    });
  }

  private ended(): void {
    this.inTurn(besides.ended);
    this.inTurn(besides.accepted);
    if (this.granted >= this.plan.calls) return;
    this.granted++;
    const stages = handOver.map(({ at }) => at);
    this.inTurn(stages, () => this.dialled());
  }

  private inTurn(stages: readonly Stage[], then: () => void = () => undefined): void {
    const [first, ...rest] = stages;
    if (first === undefined) {
      then();
      return;
    }
    const goOn = (): void => this.inTurn(rest, then);
    if (first !== 'webhook' && first !== 'dial') this.queues[first].work(goOn);
    else this.agenda.after(this.random.around((this.plan.unqueued ?? milliseconds)[first], this.plan.spread), goOn);
  }
}

/** What so many slots ask for while all are busy all the time. */
export interface Needs {
  callsPerSecond: number;
  temporal: number;
  postgres: number;
  redis: number;
}

export function needsOf(slots: number, { min, max }: Plan['seconds']): Needs {
  const callsPerSecond = slots / ((min + max) / 2);
  const all = [...handOver.map(({ at }) => at), ...Object.values(besides).flat()];
  const perSecond = (stage: Stage): number => all.filter((one) => one === stage).length * callsPerSecond;
  return {
    callsPerSecond,
    temporal: perSecond('temporal'),
    postgres: perSecond('postgres'),
    redis: perSecond('redis'),
  };
}
