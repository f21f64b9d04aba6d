import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

import type { KeyHolder } from './key-ring';

export interface Allowance {
  /** Requests in a minute. */
  limit: number;
  remaining: number;
  /** Until the minute is over and all are there again. */
  resetSeconds: number;
  exceeded: boolean;
}

/** Counts each key's requests, minute by minute, in this process alone: several share nothing, and each allows the limit. */
export class RateLimits {
  private readonly limiters = new Map<number, RateLimiterMemory>();

  /** Counts a request. @returns undefined for a key without a limit */
  async count({ keyId, rateLimitPerMinute: limit }: KeyHolder): Promise<Allowance | undefined> {
    if (limit === 0) return undefined;
    try {
      return allowanceOf(limit, await this.limiterOf(limit).consume(keyId), false);
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return allowanceOf(limit, refusal, true);
      throw refusal;
    }
  }

  private limiterOf(limit: number): RateLimiterMemory {
    const known = this.limiters.get(limit);
    if (known) return known;
    const made = new RateLimiterMemory({ points: limit, duration: 60 });
    this.limiters.set(limit, made);
    return made;
  }
}

function allowanceOf(limit: number, counted: RateLimiterRes, exceeded: boolean): Allowance {
  return {
    limit,
    remaining: counted.remainingPoints,
    resetSeconds: Math.ceil(counted.msBeforeNext / 1_000),
    exceeded,
  };
}
