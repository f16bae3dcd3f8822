import type { RequestId } from '@limpet/core';
import { expect, test } from 'vitest';
import { Running } from './running.ts';

const [first, second] = ['a', 'b'].map((digit) => digit.repeat(32) as RequestId) as [RequestId, RequestId];

test('a handler goes on after its connection has ended: a death note still names it, a stop does not wait for it', async () => {
  const running = new Running();
  running.add(first);
  running.add(second);
  const ended = running.linger(first);
  running.remove(first);
  expect(running.list()).toEqual([second, first]);
  running.remove(second);
  expect(running.size).toBe(0);
  await running.idle(60_000);
  expect(running.list()).toEqual([first]);
  ended();
  expect(running.list()).toEqual([]);
});

test('two attempts of one request, both without their connections: named until both have ended', () => {
  const running = new Running();
  const [one, other] = [running.linger(first), running.linger(first)];
  one();
  expect(running.list()).toEqual([first]);
  other();
  expect(running.list()).toEqual([]);
});
