import RequestQueue from 'kafkajs/src/network/requestQueue';

let mended = false;

/**
 * kafkajs 2.2.4 looks for requests that wait on a throttled connection by a timer that, once set, sets itself again, with
 * a time in the past: about a thousand times a second for each connection, for nothing (5 % of a core, measured). A
 * request that comes to wait sets the timer itself, so without one the timer need not be set.
 */
export function mendTimers(): void {
  if (mended) return;
  mended = true;
  const { prototype } = RequestQueue;
  const schedule = Object.getOwnPropertyDescriptor(prototype, 'scheduleCheckPendingRequests')?.value as unknown;
  if (typeof schedule !== 'function') return;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
  };
}
