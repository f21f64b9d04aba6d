const everySeconds = 20;

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Says what is being done, goes on saying it while it lasts, and how long it took. */
export async function withProgress<T>(what: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const elapsed = (): string => {
    const seconds = Math.round((performance.now() - started) / 1000);
    return [Math.floor(seconds / 60), seconds % 60].map((part) => String(part).padStart(2, '0')).join(':');
  };
  say(`${what} ...`);
  const reminder = setInterval(() => say(`${what} ... ${elapsed()}`), everySeconds * 1000);
  try {
    const result = await work();
    say(`${what} ... done in ${elapsed()}`);
    return result;
  } finally {
    clearInterval(reminder);
  }
}
