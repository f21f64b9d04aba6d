import { setTimeout as pause } from 'node:timers/promises';

import type { ReportStatus } from '../../src/call/call';
import type { CallState, DialAnswer, DialRequest } from '../../src/provider/provider';
import { listAttempts } from '../../src/store/attempts';
import type { Chance } from './chance';
import type { Carrier } from './carrier';

/**
 * What is truly on the line, behind the carrier's provider: each dial takes its time to be answered, each call its time to
 * end, and its report its time to come. Keeps count of what must never be.
 */
export class Lines {
  /** By the provider's id of the call. */
  readonly live = new Map<string, DialRequest>();
  readonly wrongs: string[] = [];
  private readonly placed = new Set<string>();

  constructor(
    private readonly carrier: Carrier,
    private readonly chance: Chance,
  ) {
    carrier.provider.answer = (request) => this.dial(request);
    carrier.provider.lookUp = (id) => Promise.resolve(this.stateOf(id));
    carrier.provider.hangUp = (id) => this.hangUp(id);
  }

  private async dial(request: DialRequest): Promise<DialAnswer> {
    await pause(this.chance.between(0, 300));
    if (this.chance.next() < 0.1) return { kind: 'BUSY', reason: 'not now' };
    const externalCallId = `line-${request.attemptId}`;
    if (!this.placed.has(externalCallId)) this.begin(externalCallId, request);
    await pause(this.chance.between(0, 300));
    return this.chance.next() < 0.1 ? { kind: 'UNKNOWN', reason: 'answer lost' } : { kind: 'ACCEPTED', externalCallId };
  }

  private begin(id: string, request: DialRequest): void {
    this.placed.add(id);
    if ([...this.live.values()].some(({ to }) => to === request.to))
      this.wrongs.push(`${id}: a second line to its number`);
    this.live.set(id, request);
    if (this.live.size > this.carrier.config.MAX_CONCURRENT_CALLS) this.wrongs.push(`${id}: line ${this.live.size}`);
    setTimeout(
      () => void this.end(id, this.chance.next() < 0.6 ? 'COMPLETED' : 'BUSY'),
      this.chance.between(300, 1_800),
    );
  }

  private async end(id: string, status: ReportStatus): Promise<void> {
    const request = this.live.get(id);
    if (!request || !this.live.delete(id)) return;
    await pause(this.chance.between(0, 300));
    const attempt = await this.carrier.db
      .selectFrom('attempts')
      .select('call_id')
      .where('id', '=', request.attemptId)
      .executeTakeFirst();
    const attempts = attempt ? await listAttempts(this.carrier.db, attempt.call_id) : [];
    const own = attempts.find((one) => one.id === request.attemptId);
    if (own) await this.carrier.reportOf({ ...own, externalCallId: id }, status);
  }

  private stateOf(id: string): CallState {
    if (this.live.has(id)) return { kind: 'LIVE' };
    return { kind: 'ENDED', status: 'FAILED', durationSec: null, failureReason: null };
  }

  private async hangUp(id: string): Promise<boolean> {
    await pause(this.chance.between(0, 100));
    await this.end(id, 'FAILED');
    return true;
  }
}
