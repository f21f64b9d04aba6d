import type { CallState, DialAnswer, DialRequest, Provider } from '../../src/provider/provider';

/** A provider that answers as the test says, and remembers what it was asked. */
export class ScriptedProvider implements Provider {
  readonly dials: DialRequest[] = [];
  readonly hangUps: string[] = [];
  /** The provider's answer to a dial; by default it accepts under an id made of the attempt's. */
  answer: (request: DialRequest, nth: number) => DialAnswer | Promise<DialAnswer> = ({ attemptId }) => ({
    kind: 'ACCEPTED',
    externalCallId: `at-provider-${attemptId}`,
  });
  /** What it says of a call when asked. */
  state: (externalCallId: string) => CallState = () => ({ kind: 'LIVE' });
  canHangUp = true;

  async dial(request: DialRequest): Promise<DialAnswer> {
    this.dials.push(request);
    return this.answer(request, this.dials.length);
  }

  lookUp(externalCallId: string): Promise<CallState> {
    if (this.hangUps.includes(externalCallId)) {
      return Promise.resolve({ kind: 'ENDED', status: 'FAILED', durationSec: null, failureReason: 'hung up' });
    }
    return Promise.resolve(this.state(externalCallId));
  }

  hangUp(externalCallId: string): Promise<boolean> {
    if (this.canHangUp) this.hangUps.push(externalCallId);
    return Promise.resolve(this.canHangUp);
  }
}
