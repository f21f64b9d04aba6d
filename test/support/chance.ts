import { createHash } from 'node:crypto';

/**
 * Everything random comes from a seed: the n-th draw of a name is the same in each run of the seed, whatever
 * else is drawn meanwhile. What the machine makes of it, in which order and when, is its own.
 */
export class Chance {
  private draws = 0;

  constructor(
    private readonly seed: number,
    private readonly name: string,
  ) {}

  /** A fraction in [0, 1). */
  next(): number {
    const digest = createHash('sha256').update(`${this.seed}/${this.name}/${this.draws++}`).digest();
    return digest.readUInt32BE(0) / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[Math.floor(this.next() * choices.length)];
    if (choice === undefined) throw new Error('nothing to pick from');
    return choice;
  }

  /** One of the names, each as often as its weight says. */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name {
    const entries = Object.entries<number>(weights) as [Name, number][];
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) if ((left -= weight) < 0) return name;
    return entries[0]![0];
  }
}
