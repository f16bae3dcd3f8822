import { expect, test } from 'vitest';
import { decideMove, formatMove, isOver, type Moved, moveShownMs } from './move.ts';

const now = 1_000_000;
const seen = { node: 'n2', at: now - 60_000 };
const told = (moved: Moved | null): string | null => moved && formatMove(moved, now);

test('move: the same node, nothing died: nothing to tell', () => {
  expect(decideMove(seen, null, 'n2', now, null)).toBeNull();
});

test('move: the node died: says when, and where one is now', () => {
  expect(told(decideMove(seen, null, 'n4', now, now - 3_100))).toBe('n2 died 3 s ago, you are on n4 now');
});

test('move: no death known: says from where to where', () => {
  expect(told(decideMove(seen, null, 'n4', now, null))).toBe('you moved from n2 to n4');
});

test('move: a death before the last answer: not told again', () => {
  expect(decideMove(seen, null, 'n2', now, now - 90_000)).toBeNull();
});

test('move: the node died and was started again before the next click: says both', () => {
  expect(told(decideMove(seen, null, 'n2', now, now - 3_000))).toBe(
    'n2 died 3 s ago and runs again, you are on n2 now',
  );
});

test('move: home again after a death: the death is still what is told', () => {
  const away = { from: 'n2', to: 'n4', at: now - 2_000, diedAt: now - 3_000 };
  expect(told(decideMove({ node: 'n4', at: now - 2_000 }, away, 'n2', now, null))).toBe(
    'n2 died 3 s ago and runs again, you are on n2 now',
  );
});

test('move: told for a while: then over', () => {
  const moved = { from: 'n2', to: 'n4', at: now, diedAt: null };
  expect([isOver(moved, now + moveShownMs), isOver(moved, now + moveShownMs + 1)]).toEqual([false, true]);
});
