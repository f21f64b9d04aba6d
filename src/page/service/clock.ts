import { effect, signal } from '@preact/signals';

import { isVisible } from './stream';

/** Service's time less this machine's. */
let offsetMilliseconds = 0;

/** The service's present, to the second. */
export const now = signal(Date.now());

/** An answer told what time it is there; what lies within the way of an answer is no difference. */
export function learnTime(at: string): void {
  const offset = Date.parse(at) - Date.now();
  if (Math.abs(offset - offsetMilliseconds) > 1_000) offsetMilliseconds = offset;
}

effect(() => {
  if (!isVisible.value) return;
  const tick = () => void (now.value = Date.now() + offsetMilliseconds);
  tick();
  const timer = setInterval(tick, 1_000);
  return () => clearInterval(timer);
});
