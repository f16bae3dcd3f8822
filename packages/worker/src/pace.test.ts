import { expect, test } from 'vitest';
import { Pace, paceMsMax } from './pace.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A pace for an app whose requests take the loop `perRequestMs` each. */
function paceFor(perRequestMs: number): Pace {
  const pace = new Pace();
  for (let request = 0; request < 10; request += 1) pace.start(() => {});
  pace.tune(10 * perRequestMs);
  return pace;
}

test('an app that does not block its loop: every request begins at once', () => {
  const pace = paceFor(0.5);
  const begun: string[] = [];
  pace.hold();
  pace.start(() => begun.push('a'));
  expect(begun).toEqual(['a']);
});

test('an app that blocks, nothing waits for a buddy: every request begins at once', () => {
  const pace = paceFor(5);
  const begun: string[] = [];
  pace.start(() => begun.push('a'));
  pace.start(() => begun.push('b'));
  expect(begun).toEqual(['a', 'b']);
});

test('an app that blocks, an answer waits: requests begin in order, after it, each after the answers before it', async () => {
  const pace = paceFor(paceMsMax);
  const seen: string[] = [];
  const letGo = pace.hold();
  let letGoOfA = (): void => {};
  pace.start(() => {
    seen.push('a begins');
    letGoOfA = pace.hold();
  });
  pace.start(() => seen.push('b begins'));
  pace.start(() => seen.push('c begins'));
  expect([seen, pace.waiting]).toEqual([[], 3]);
  seen.push('first answer');
  letGo();
  await turn();
  expect(seen).toEqual(['first answer', 'a begins']);
  seen.push('answer of a');
  letGoOfA();
  await turn();
  await turn();
  expect(seen).toEqual(['first answer', 'a begins', 'answer of a', 'b begins', 'c begins']);
});

test('a buddy never acknowledges: the next request begins all the same, and soon nothing is held back', async () => {
  const pace = paceFor(5);
  pace.hold();
  const begun = await new Promise<number>((resolve) => {
    const from = performance.now();
    pace.start(() => resolve(performance.now() - from));
  });
  expect(begun).toBeGreaterThan(0);
  // A timer may fire a fraction of a millisecond early, within the limit: once more, and it is past for certain.
  await new Promise<void>((resolve) => {
    pace.start(resolve);
  });
  let isBegun = false;
  pace.start(() => {
    isBegun = true;
  });
  expect(isBegun).toBe(true);
});

test('an idle while: not paced until requests are long again', () => {
  const pace = paceFor(5);
  pace.tune(0);
  pace.hold();
  let isBegun = false;
  pace.start(() => {
    isBegun = true;
  });
  expect(isBegun).toBe(true);
});
