import { computed, effect, signal } from '@preact/signals';

import type { CallEvent, CallRejectedEvent } from '../../client/answers';
import { pause, pauseSeconds } from '../../client/pauses';
import { keyAskedFor, noteRefusal, service } from './session';

export type AnyEvent = CallEvent | CallRejectedEvent;

/** `hidden`: nobody looks, so nothing is asked. */
export const connection = signal<'connecting' | 'live' | 'interrupted' | 'hidden'>('connecting');

export const isVisible = signal(document.visibilityState === 'visible');
document.addEventListener('visibilitychange', () => {
  isVisible.value = document.visibilityState === 'visible';
});

const listeners = new Set<(event: AnyEvent) => void>();

/** @returns what ends it */
export function onEvent(listener: (event: AnyEvent) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const isFollowed = computed(() => isVisible.value && keyAskedFor.value === undefined);

/**
 * One stream for the whole page, since browsers open few connections to one host; while nobody looks, none. What shows
 * data looks anew when the page is seen again, so that what happened meanwhile need not be sent.
 */
export function followEvents(): void {
  effect(() => {
    const client = service.value;
    if (!isFollowed.value) {
      connection.value = 'hidden';
      return;
    }
    connection.value = 'connecting';
    const left = new AbortController();
    void follow(client, left.signal);
    return () => left.abort();
  });
}

async function follow(client: typeof service.value, signal: AbortSignal): Promise<void> {
  for (let failures = 0; ;) {
    try {
      const onInterrupted = () => void (connection.value = 'interrupted');
      const onConnected = () => {
        connection.value = 'live';
        failures = 0;
      };
      for await (const { event } of client.stream({ signal, onInterrupted, onConnected })) {
        for (const listener of listeners) listener(event);
      }
    } catch (error) {
      if (signal.aborted) return;
      noteRefusal(error);
      connection.value = 'interrupted';
    }
    failures++;
    await pause(pauseSeconds(failures), signal).catch(() => undefined);
    if (signal.aborted) return;
  }
}
