import { setTimeout as pause } from 'node:timers/promises';

import type { Logger } from '../log';
import type { ProviderReport } from '../store/provider-reports';
import type { Reported } from './provider-reports';

/** What comes on top is left to the reconciler. */
const mostInHand = 256;
/** Temporal may be away: what it was not told by then is in the record. */
const lastReportsSeconds = 2;

/** Reports that are stored and being acted upon, after their webhooks were answered. */
export class ReportsInHand {
  private readonly inHand = new Set<Promise<void>>();

  /** `receiveReport` and `actOnReport`, as a rule. */
  constructor(
    private readonly steps: {
      receive: (report: ProviderReport, namedAttemptId: string | null) => Promise<Reported | undefined>;
      act: (reported: Reported) => Promise<void>;
    },
    private readonly log: Logger,
  ) {}

  /**
   * Stores a report; it is acted upon after this has returned.
   *
   * @returns the attempt it is about, or undefined for a call that is not known (yet)
   */
  async receive(report: ProviderReport, namedAttemptId: string | null): Promise<string | undefined> {
    const reported = await this.steps.receive(report, namedAttemptId);
    if (reported) this.take(reported);
    return reported?.attempt.id;
  }

  /** What fails, for Temporal may be away, is the reconciler's to deliver. */
  private take(reported: Reported): void {
    if (this.inHand.size >= mostInHand) return;
    const acting = this.steps
      .act(reported)
      .catch((error: unknown) => {
        this.log.warn({ attempt: reported.attempt.id, err: error }, 'report not delivered yet; the sweep will');
      })
      .finally(() => this.inHand.delete(acting));
    this.inHand.add(acting);
  }

  /** Else their workflows would be told by the reconciler, as if something had been broken. */
  async close(): Promise<void> {
    const late = pause(lastReportsSeconds * 1_000, undefined, { ref: false });
    await Promise.race([Promise.all(this.inHand), late]);
  }
}
