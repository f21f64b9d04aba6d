import type { Attempt } from '../slots-under-test';

/** Where an attempt's workflow stands. Each half that a crash left undone is a place of its own, gone on from later. */
export type Stage =
  | { at: 'ASKING' }
  | { at: 'WAITING' }
  | { at: 'GRANTED'; slot: number }
  | { at: 'CLAIMED'; slot: number }
  | { at: 'FENCED'; slot: number }
  | { at: 'TALKING' }
  | { at: 'ENDED' }
  | { at: 'OVER' };

export class Life {
  stage: Stage = { at: 'ASKING' };
  /** The slot it was signalled since it last began to ask. */
  told: number | undefined;
  /** The limit under which Redis gave it each slot. */
  readonly givenUnder = new Map<number, number>();
  claimed = false;
  /** Ended before it had a slot: canceled or expired. */
  withdrawn = false;
  /** Since it joined the queue, by the model's clock. */
  waitedSeconds = 0;

  constructor(readonly attempt: Attempt) {}

  get id(): string {
    return this.attempt.attemptId;
  }

  /** Whether its turn comes before the other's: by priority, then by age. */
  isBefore(other: Life): boolean {
    const [a, b] = [this.attempt, other.attempt];
    return a.priority === b.priority ? a.number < b.number : a.priority < b.priority;
  }
}

/** The attempts of one story, in the order in which they came. */
export class Lives {
  private readonly byId = new Map<string, Life>();

  add(attempt: Attempt): Life {
    const life = new Life(attempt);
    this.byId.set(attempt.attemptId, life);
    return life;
  }

  get(attemptId: string): Life {
    const life = this.byId.get(attemptId);
    if (!life) throw new Error(`no attempt ${attemptId}`);
    return life;
  }

  all(): Life[] {
    return [...this.byId.values()];
  }

  at(...stages: Stage['at'][]): Life[] {
    return this.all().filter(({ stage }) => stages.includes(stage.at));
  }

  /** In the order of their turns. */
  inTurn(ids: readonly string[]): string[] {
    return [...ids].sort((a, b) => (this.get(a).isBefore(this.get(b)) ? -1 : 1));
  }
}
