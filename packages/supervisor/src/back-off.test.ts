import { describe, expect, test } from 'vitest';
import { decideRestart, startsMax, startsWithinMs } from './back-off.ts';

const never = (starts: number, sinceFirstStartMs: number) =>
  decideRestart({ everReady: false, starts, sinceFirstStartMs, shortLives: starts });
const served = (shortLives: number) =>
  decideRestart({ everReady: true, starts: 100, sinceFirstStartMs: 1e9, shortLives });

describe('back-off', () => {
  test('served before: dies after a long life: started again at once', () => {
    expect(served(0)).toEqual({ kind: 'start', delayMs: 0 });
  });

  test('served before: short lives in a row: longer and longer, never given up', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 50].map((lives) => {
      const decision = served(lives);
      return decision.kind === 'start' ? decision.delayMs : -1;
    });
    expect(delays).toEqual([0, 250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
  });

  test('never ready: five starts, then given up', () => {
    expect(never(1, 100)).toEqual({ kind: 'start', delayMs: 250 });
    expect(never(startsMax - 1, 5_000)).toEqual({ kind: 'start', delayMs: 2_000 });
    expect(never(startsMax, 6_000)).toEqual({ kind: 'giveUp' });
  });

  test('never ready: half a minute is over: given up before the fifth start', () => {
    expect(never(2, startsWithinMs)).toEqual({ kind: 'giveUp' });
  });
});
