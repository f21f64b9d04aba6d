import { CallError } from '../call/errors';
import type { Acceptance, IncomingCall } from './accept-call';
import { acceptEach, type AcceptRowsDeps } from './accept-rows';

/** While two are at the database, those that come meanwhile are the third: more at once would be more, smaller ones. */
const statementsAtOnce = 2;
const callsPerStatement = 200;

interface Waiting {
  incoming: IncomingCall;
  resolve: (acceptance: Acceptance) => void;
  reject: (error: unknown) => void;
}

/**
 * The door for requests that come one by one. Whoever comes alone is decided on at once; those that come while statements
 * are under way are decided on together by the next one: a commit, which is what a request waits for, then serves many.
 */
export class CallDoor {
  private waiting: Waiting[] = [];
  private underWay = 0;

  constructor(private readonly deps: AcceptRowsDeps) {}

  /** @returns once the call is durable, or it is known why there is none. @throws what PostgreSQL does */
  accept(incoming: IncomingCall): Promise<Acceptance> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ incoming, resolve, reject });
      void this.letIn();
    });
  }

  private async letIn(): Promise<void> {
    if (this.underWay >= statementsAtOnce || this.waiting.length === 0) return;
    this.underWay++;
    const group = this.waiting.splice(0, callsPerStatement);
    await this.decideOn(group);
    this.underWay--;
    void this.letIn();
  }

  private async decideOn(group: readonly Waiting[]): Promise<void> {
    try {
      const answers = await acceptEach(
        this.deps,
        group.map(({ incoming }) => incoming),
      );
      for (const [index, { resolve, reject }] of group.entries()) {
        const answer = answers[index];
        if (answer === undefined) reject(new Error('the door gave no answer'));
        else if (answer instanceof CallError) reject(answer.cause);
        else resolve(answer);
      }
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}
