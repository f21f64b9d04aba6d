/** What the bench's own programs share: the messages between them and the bench, and their end. */

/** Ends with the bench, and in good order where it says so: exit handlers run, such as the profiler's. */
export function endWithBench(close: () => Promise<void> | void = () => undefined): void {
  let ending = false;
  const end = (): void => {
    if (ending) return;
    ending = true;
    void Promise.resolve(close()).finally(() => process.exit(0));
  };
  process.on('SIGTERM', end);
  process.on('disconnect', end);
}

/** Answers each question of one kind. */
export function onQuestion<Question extends { kind: string }>(
  kind: Question['kind'],
  answer: (question: Question) => unknown,
): void {
  process.on('message', (message: Question) => {
    if (message.kind !== kind) return;
    Promise.resolve(answer(message)).then(
      (fields) => process.send?.({ ...(fields as object), kind: `${kind}: done` }),
      (error: unknown) => fail(error),
    );
  });
}

/** Does one thing with what the bench sends, and tells of it. */
export function runOnce(work: (input: never) => Promise<object>): void {
  endWithBench();
  process.once('message', (input) => {
    // What it is, the bench and the program agree on by the program's own types.
    work(input as never).then(
      (result) => process.send?.({ ...result, kind: 'result' }),
      (error: unknown) => fail(error),
    );
  });
}

export function tellReady(): void {
  process.send?.('ready');
}

/** Milliseconds since 1970, to the microsecond. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
}
