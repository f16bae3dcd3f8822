import { expect, test } from 'vitest';
import { didYouMean, editDistance, suggest } from './suggest.ts';

test('suggestion: a swapped, a missing and a wrong letter: each is one step', () => {
  expect(editDistance('--prot', '--port')).toBe(1);
  expect(editDistance('--por', '--port')).toBe(1);
  expect(editDistance('--pork', '--port')).toBe(1);
  expect(editDistance('', 'abc')).toBe(3);
});

test('suggestion: something near is known: it is named', () => {
  expect(didYouMean('statsu', ['start', 'status', 'stop'])).toBe(': did you mean status?');
  expect(suggest('admin-port', ['adminHost', 'adminPort'])).toBe('adminPort');
});

test('suggestion: nothing near is known: none is made', () => {
  expect(didYouMean('frobnicate', ['start', 'status'])).toBe('');
  expect(suggest('x'.repeat(100_000), ['start'])).toBe(null);
});
