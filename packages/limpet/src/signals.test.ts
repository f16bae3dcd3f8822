import { expect, test } from 'vitest';
import { SignalRules } from './signals.ts';

test('signals: Ctrl-C twice within a millisecond, as npm delivers it: drains', () => {
  const rules = new SignalRules(true);
  expect(rules.step('SIGINT', 5000)).toEqual({ kind: 'drain', signal: 'SIGINT' });
  expect(rules.step('SIGINT', 5000.4).kind).toBe('ignore');
  expect(rules.step('SIGTERM', 5001).kind).toBe('ignore');
  expect(rules.step('SIGINT', 5999).kind).toBe('ignore');
  expect(rules.step('SIGINT', 6000)).toEqual({ kind: 'end' });
});

test('signals: SIGTERM: drains, and a Ctrl-C a second later ends', () => {
  const rules = new SignalRules(false);
  expect(rules.step('SIGTERM', 0).kind).toBe('drain');
  expect(rules.step('SIGTERM', 9000).kind).toBe('ignore');
  expect(rules.step('SIGINT', 9001).kind).toBe('end');
});

test('signals: SIGHUP: a hang-up with a terminal, nothing without', () => {
  expect(new SignalRules(true).step('SIGHUP', 0).kind).toBe('drain');
  expect(new SignalRules(false).step('SIGHUP', 0).kind).toBe('ignore');
});
