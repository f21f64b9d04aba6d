/** The part of kafkajs 2.2.4 that kafkajs-timers.ts mends. */
declare module 'kafkajs/src/network/requestQueue' {
  class RequestQueue {
    pending: unknown[];
    /** Milliseconds since 1970, or -1. */
    throttledUntil: number;
    scheduleCheckPendingRequests: () => void;
  }
  export = RequestQueue;
}
