import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** Milliseconds before it gives up. */
  readonly timeout?: number;
  /** Milliseconds between two looks. */
  readonly every?: number;
  /** What is waited for: the words of the error. */
  readonly what?: string;
}

/**
 * Looks until `condition` gives something true, and returns that. An error thrown by `condition` counts as "not yet" and is
 * named when the time is over.
 */
export async function waitUntil<T>(condition: () => T | Promise<T>, options: WaitOptions = {}): Promise<T> {
  const { timeout = 15_000, every = 20, what = 'the condition' } = options;
  const endsAt = performance.now() + timeout;
  let last: unknown = null;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      last = null;
    } catch (error) {
      last = error;
    }
    if (performance.now() > endsAt) {
      throw new Error(`waited ${timeout} ms in vain for ${what}`, last === null ? undefined : { cause: last });
    }
    await sleep(every);
  }
}

/** For a measured span of time, where the test's subject is time itself (a load that must last so long). */
export const spanOf = (ms: number): Promise<void> => sleep(ms);
