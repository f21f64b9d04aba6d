import type { Book } from './book';
import type { Stage } from './stage';

/** One figure of the table. What it measures beside the service it measures in the same round, right after it. */
export interface Figure {
  name: string;
  /** One line for people. */
  about: string;
  /** Before its first round, where that takes long. @returns what ends it after the last */
  prepare?: (stage: Stage) => Promise<() => Promise<void>>;
  round: (stage: Stage, book: Book, round: number) => Promise<void>;
}
