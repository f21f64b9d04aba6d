import type { ComponentChildren } from 'preact';
import { signal } from '@preact/signals';

import type { Shown } from '../service/followed';
import { explain, shortTime } from './words';

/** Where something could not be had: what happened, and what can be done. */
export function Trouble({ error, children }: { error: unknown; children?: ComponentChildren }) {
  if (error === undefined) return null;
  return (
    <div class="notice notice-bad" role="alert">
      <p>{explain(error)}</p>
      {children}
    </div>
  );
}

/** The same where something is shown all the same, as it was last seen. */
export function Stale({ shown: { value, at, error } }: { shown: Shown<unknown> }) {
  return (
    <Trouble error={error}>
      {value !== undefined && <p>What is shown is as of {shortTime(new Date(at).toISOString(), Date.now())}.</p>}
    </Trouble>
  );
}

/** Where there is nothing yet. */
export function Nothing({ children }: { children: ComponentChildren }) {
  return <div class="nothing">{children}</div>;
}

/** While the first answer is on its way. */
export function Loading({ what }: { what: string }) {
  return (
    <p class="nothing" role="status">
      Loading {what} …
    </p>
  );
}

const said = signal<{ text: string; isBad: boolean } | undefined>(undefined);
let timer: ReturnType<typeof setTimeout> | undefined;
const shownMilliseconds = 6_000;

/** Tells, for a while, what became of what somebody did; screen readers read it out. */
export function tell(text: string, { isBad = false } = {}): void {
  said.value = { text, isBad };
  clearTimeout(timer);
  timer = setTimeout(() => (said.value = undefined), shownMilliseconds);
}

export function Told() {
  return (
    <div class="told" role="status">
      {said.value && <p class={said.value.isBad ? 'is-bad' : ''}>{said.value.text}</p>}
    </div>
  );
}
