/** Something the person at the terminal can mend: the message is one line that says what to do. */
export class InfraError extends Error {
  override name = 'InfraError';
}

/** Thrown out of whatever was under way when Ctrl-C or SIGTERM came. */
export class Interrupted extends Error {
  override name = 'Interrupted';
}
