import type { Agenda } from './agenda';
import type { Station } from './parameters';
import type { Random } from './random';

/** Works that wait for one of a few servers, first come, first served. */
export class QueueAt {
  private readonly meanMilliseconds: number;
  private free: number;
  private readonly waiting: (() => void)[] = [];
  private head = 0;

  constructor(
    { perSecond, milliseconds }: Station,
    private readonly agenda: Agenda,
    private readonly random: Random,
    private readonly spread: number,
  ) {
    const bounded = Number.isFinite(perSecond);
    // Where nothing bounds it nobody waits, and each takes its time.
    this.free = bounded ? Math.max(1, Math.round((perSecond * milliseconds) / 1_000)) : Infinity;
    this.meanMilliseconds = bounded ? (this.free / perSecond) * 1_000 : milliseconds;
  }

  /** @param then once it is done */
  work(then: () => void): void {
    if (this.free === 0) this.waiting.push(() => this.serve(then));
    else {
      this.free--;
      this.serve(then);
    }
  }

  private serve(then: () => void): void {
    const took = this.random.around(this.meanMilliseconds, this.spread);
    this.agenda.after(took, () => {
      const next = this.waiting[this.head++];
      if (next === undefined) {
        this.head--;
        this.free++;
      } else next();
      this.dropServed();
      then();
    });
  }

  private dropServed(): void {
    if (this.head < 10_000) return;
    this.waiting.splice(0, this.head);
    this.head = 0;
  }
}
