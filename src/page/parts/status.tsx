import type { CallStatus } from '../../client/answers';
import { statusNames } from './words';

/** By word and by colour: neither alone is enough for everybody. */
export function Status({ status }: { status: CallStatus }) {
  return <span class={`status status-${status.toLowerCase()}`}>{statusNames[status]}</span>;
}
