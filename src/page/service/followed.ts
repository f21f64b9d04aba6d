import { signal, type Signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';

import { noteRefusal, service } from './session';
import { isVisible, onEvent, type AnyEvent } from './stream';

export interface Shown<T> {
  /** As last seen; stays while it cannot be had anew. */
  value: T | undefined;
  /** When it was last seen. */
  at: number;
  error: unknown;
}

export interface FollowOptions<T> {
  load: (signal: AbortSignal) => Promise<T>;
  /** What happened that may have changed it. */
  concerns: (event: AnyEvent) => boolean;
  /** Looks follow each other no sooner, however much happens. */
  gapMilliseconds: number;
  /** Looks without any event: for what changes by itself, and for a stream that is interrupted. */
  everyMilliseconds: number;
}

/** A slow service is asked less often: looks take up at most this share of the time. */
const shareOfTime = 0.25;

/** Something of the service that is shown for as long as somebody looks, and asked for anew when events tell of it. */
class Followed<T> {
  readonly shown: Signal<Shown<T>> = signal({ value: undefined, at: 0, error: undefined });
  private readonly left = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isLooking = false;
  /** How often it was asked for. */
  private asked = 0;
  private soonest = 0;

  constructor(private readonly options: FollowOptions<T>) {}

  /** @returns what ends it */
  start(): () => void {
    const stopListening = onEvent((event) => {
      if (this.options.concerns(event)) this.lookSoon();
    });
    const stopWatching = isVisible.subscribe((visible) => {
      if (visible) this.lookSoon();
    });
    const stopKey = service.subscribe(() => this.lookSoon());
    const interval = setInterval(() => this.lookSoon(), this.options.everyMilliseconds);
    return () => {
      for (const stop of [stopListening, stopWatching, stopKey]) stop();
      clearInterval(interval);
      clearTimeout(this.timer);
      this.left.abort();
    };
  }

  /** Whatever asks for it meanwhile is met by one look. */
  lookSoon(): void {
    this.asked++;
    this.plan();
  }

  private plan(): void {
    if (this.isLooking || this.timer !== undefined || !isVisible.peek()) return;
    const wait = Math.max(0, this.soonest - performance.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.look();
    }, wait);
  }

  private async look(): Promise<void> {
    const began = performance.now();
    const { asked } = this;
    this.isLooking = true;
    try {
      const value = await this.options.load(this.left.signal);
      if (!this.left.signal.aborted) this.shown.value = { value, at: Date.now(), error: undefined };
    } catch (error) {
      if (this.left.signal.aborted) return;
      noteRefusal(error);
      this.shown.value = { ...this.shown.peek(), error };
    } finally {
      this.isLooking = false;
      const took = performance.now() - began;
      this.soonest = performance.now() + Math.max(this.options.gapMilliseconds, took / shareOfTime);
    }
    if (this.asked !== asked) this.plan();
  }
}

/** @param inputs with others it is another thing that is followed */
export function useFollowed<T>(options: FollowOptions<T>, inputs: readonly unknown[]): Shown<T> & { look: () => void } {
  const followed = useMemo(() => new Followed(options), inputs);
  useEffect(() => followed.start(), [followed]);
  return { ...followed.shown.value, look: () => followed.lookSoon() };
}
