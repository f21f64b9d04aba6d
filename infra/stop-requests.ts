const repeatMilliseconds = 500;
const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Ctrl-C and its kin. The first asks to stop in good order; one that comes later means "now". One Ctrl-C can arrive
 * twice within milliseconds, from the terminal and from npm, and counts once.
 */
export class StopRequests {
  readonly #stop = new AbortController();
  #firstAt = 0;
  readonly #kills: (() => void)[] = [];

  constructor() {
    for (const name of stopSignals) process.on(name, () => this.request());
    // The terminal may be gone by the time we say goodbye.
    process.stdout.on('error', () => undefined);
    process.stderr.on('error', () => undefined);
  }

  /** Aborted by the first request. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** @param kill ends at once everything that this run started; we exit with 130 right after it */
  onForce(kill: () => void): void {
    this.#kills.push(kill);
  }

  request(now = performance.now()): void {
    if (!this.#stop.signal.aborted) {
      this.#firstAt = now;
      this.#stop.abort();
    } else if (now - this.#firstAt >= repeatMilliseconds) {
      for (const kill of this.#kills) kill();
      process.exit(130);
    }
  }
}
