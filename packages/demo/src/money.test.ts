import { expect, test } from 'vitest';
import { formatCents, parseCents } from './money.ts';

test('money: cents: written with groups and two decimals', () => {
  expect([0, 5, -5, 123_450, -123_456_789].map((cents) => formatCents(cents))).toEqual([
    '0.00',
    '0.05',
    '-0.05',
    '1,234.50',
    '-1,234,567.89',
  ]);
  expect(formatCents(123_450, 'comma')).toBe('1.234,50');
});

test('money: text: read when it is a positive amount with at most two decimals', () => {
  expect(['12', '12.5', ' 12,50 ', '1000000'].map(parseCents)).toEqual([1_200, 1_250, 1_250, 100_000_000]);
  expect(['', '0', '-1', '1.234', '1e3', '1000000.01', 'NaN', '12.'].map(parseCents)).toEqual(Array(8).fill(null));
});
