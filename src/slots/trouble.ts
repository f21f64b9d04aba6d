import type { Logger } from '../log';

/** One line when something begins to be wrong and one when it is over: none for each time that it is met in between. */
export class Trouble {
  private told: string | undefined;

  constructor(
    private readonly log: Logger,
    private readonly over: string,
  ) {}

  /** @param message what is wrong, and what the operator can do */
  begins(message: string, fields: Record<string, unknown> = {}): void {
    if (this.told === message) return;
    this.told = message;
    this.log.warn(fields, message);
  }

  ends(): void {
    if (this.told === undefined) return;
    this.told = undefined;
    this.log.info(this.over);
  }
}
