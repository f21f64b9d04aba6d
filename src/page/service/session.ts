import { computed, signal } from '@preact/signals';

import { CallsClient } from '../../client/calls-client';
import { CallsApiError } from '../../client/errors';

/** Kept for as long as the tab is: a key that lies around longer is one that somebody finds. */
const storedAs = 'call-orchestrator.key';

const key = signal(sessionStorage.getItem(storedAs) ?? undefined);

/** Why a key is asked for; undefined while none is. */
export const keyAskedFor = signal<string | undefined>(undefined);

export const hasKey = computed(() => key.value !== undefined);

/** The service, as the present key lets one have it. */
export const service = computed(
  () =>
    new CallsClient({
      baseUrl: location.origin,
      apiKey: key.value,
      // Whoever looks sees that it is away; what shows data asks again by itself.
      retries: 1,
      timeoutSeconds: 20,
      // As a method of another object a browser's fetch refuses.
      fetch: (url, init) => fetch(url, init),
    }),
);

export function useKey(text: string): void {
  sessionStorage.setItem(storedAs, text);
  key.value = text;
  keyAskedFor.value = undefined;
}

export function forgetKey(): void {
  sessionStorage.removeItem(storedAs);
  key.value = undefined;
}

/** Whatever asked the service hands its error here: without a good key, one is asked for. */
export function noteRefusal(error: unknown): void {
  if (!(error instanceof CallsApiError) || error.status !== 401) return;
  keyAskedFor.value = hasKey.value ? error.message : 'This service asks for an API key.';
}
