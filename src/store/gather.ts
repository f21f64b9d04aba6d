import { setTimeout as pause } from 'node:timers/promises';

/**
 * Has what comes within so long done together, for what nobody is in a hurry for.
 *
 * @returns what takes one item, and comes back once that is done. Rejects for each of those that failed together
 */
export function gather<Item>(
  milliseconds: number,
  doTogether: (items: readonly Item[]) => Promise<void>,
): (item: Item) => Promise<void> {
  let gathered: Item[] = [];
  let done = Promise.resolve();
  const doGathered = (): Promise<void> => {
    const items = gathered;
    gathered = [];
    return doTogether(items);
  };
  return (item) => {
    if (gathered.push(item) === 1) done = pause(milliseconds, undefined, { ref: false }).then(doGathered);
    return done;
  };
}
