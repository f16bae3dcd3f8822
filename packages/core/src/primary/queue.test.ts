import { expect, test } from 'vitest';
import { Queue } from './queue.ts';

function drain(queue: Queue<number>): number[] {
  const taken: number[] = [];
  for (let next = queue.take(); next !== undefined; next = queue.take()) taken.push(next);
  return taken;
}

test('values added once and twice: each is taken once, in the order in which it first came', () => {
  const queue = new Queue<number>();
  for (const value of [3, 1, 2, 1, 3]) queue.add(value);
  expect(drain(queue)).toEqual([3, 1, 2]);
  expect(queue.size).toBe(0);
});

test('added, taken out and added again while others are taken: it has its new place, and nothing is left behind', () => {
  const queue = new Queue<number>();
  for (const value of [1, 2, 3]) queue.add(value);
  expect(queue.take()).toBe(1);
  queue.delete(2);
  queue.add(1);
  queue.add(2);
  expect(queue.has(2)).toBe(true);
  expect(drain(queue)).toEqual([3, 1, 2]);
});

test('emptied by taking, then added to: what came later is taken', () => {
  const queue = new Queue<number>();
  queue.add(1);
  expect(drain(queue)).toEqual([1]);
  queue.add(2);
  queue.add(1);
  expect(drain(queue)).toEqual([2, 1]);
  queue.add(5);
  queue.clear();
  expect(queue.take()).toBeUndefined();
  queue.add(6);
  expect(drain(queue)).toEqual([6]);
});
