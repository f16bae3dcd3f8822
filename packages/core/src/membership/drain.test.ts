import { describe, expect, test } from 'vitest';
import { Membership, rejoinWaitMs } from '../membership.ts';
import {
  basics,
  drain,
  killed,
  left,
  n1,
  n2,
  n3,
  n4,
  ready,
  reportAll,
  settledWith,
  startedWith,
  told,
  undrain,
} from './harness.test-suite.ts';

const three = [n1, n2, n3];

describe('drain', () => {
  test('a settled ring: by way of next, then leaving, then drained, and out once it has ended', () => {
    const membership = settledWith(three);
    expect(told(membership.step(drain(n2), 0))).toEqual(['n1,n2,n3 → n1,n3']);
    expect(told(reportAll(membership))).toEqual(['n1,n3 (n2 leaves)']);
    expect(membership.view?.members['n2']?.incarnation).toBe(1);
    expect(told(reportAll(membership))).toEqual(['drained n2.1', 'settled']);
    expect(told(membership.step(left(n2), 0))).toEqual(['n1,n3']);
    expect(membership.view?.members['n2']).toBeUndefined();
  });

  test('the leaving member has not handed everything over: it is not drained before it has', () => {
    const membership = settledWith(three);
    membership.step(drain(n2), 0);
    reportAll(membership);
    expect(told(reportAll(membership, (node) => node !== n2))).toEqual([]);
    expect(told(reportAll(membership, (node) => node === n2))).toEqual(['drained n2.1', 'settled']);
  });

  test('sessions still lack copies: it waits until they have them', () => {
    const membership = startedWith(three);
    expect(told(membership.step(drain(n2), 0))).toEqual([]);
    expect(told(reportAll(membership))).toEqual(['settled']);
    expect(told(membership.step({ kind: 'tick' }, 0))).toEqual(['n1,n2,n3 → n1,n3']);
  });

  test('two at once: the second when the first has ended', () => {
    const membership = settledWith(three);
    membership.step(drain(n2), 0);
    expect(told(membership.step(drain(n3), 0))).toEqual([]);
    reportAll(membership);
    reportAll(membership);
    expect(told(membership.step({ kind: 'tick' }, 0))).toEqual([]);
    expect(told(membership.step(left(n2), 0))).toEqual(['n1,n3']);
    reportAll(membership);
    expect(told(membership.step({ kind: 'tick' }, 0))).toEqual(['n1,n3 → n1']);
  });

  test('it would leave nobody: refused, also when the others are only about to leave', () => {
    const membership = settledWith([n1, n2]);
    membership.step(drain(n2), 0);
    expect(told(membership.step(drain(n1), 0))).toEqual(['refused n1: last']);
    const alone = settledWith([n1]);
    expect(told(alone.step(drain(n1), 0))).toEqual(['refused n1: last']);
    reportAll(alone);
    expect(told(alone.step({ kind: 'tick' }, 0))).toEqual([]);
  });

  test('nobody is in the ring yet: the last one that would start is refused', () => {
    const membership = new Membership({ ...basics, wanted: [n1, n2] });
    expect(told(membership.step(drain(n2), 0))).toEqual([]);
    expect(told(membership.step(drain(n1), 0))).toEqual(['refused n1: last']);
    expect(told(membership.step(ready(n1), 0))).toEqual(['n1']);
  });

  test('a survivor dies meanwhile: called off, and begun anew when the dead is back', () => {
    const membership = settledWith(three);
    membership.step(drain(n2), 0);
    expect(told(membership.step(killed(n3), 5))).toEqual(['n1,n2']);
    reportAll(membership);
    expect(told(membership.step({ kind: 'tick' }, 10))).toEqual([]);
    expect(told(membership.step(ready(n3, 2), 10))).toEqual(['n1,n2 → n1,n2,n3']);
    reportAll(membership);
    reportAll(membership);
    expect(told(membership.step({ kind: 'tick' }, 20))).toEqual(['n1,n2,n3 → n1,n3']);
  });

  test('the dead does not come back: the drain goes on without it after a while', () => {
    const membership = settledWith(three);
    membership.step(killed(n3), 0);
    membership.step(drain(n2), 0);
    reportAll(membership);
    expect(told(membership.step({ kind: 'tick' }, rejoinWaitMs - 1))).toEqual([]);
    expect(told(membership.step({ kind: 'tick' }, rejoinWaitMs))).toEqual(['n1,n2 → n1']);
  });

  test('all survivors die: whoever was to leave is the ring and stays', () => {
    const membership = settledWith([n1, n2]);
    membership.step(drain(n2), 0);
    expect(told(membership.step(killed(n1), 0))).toEqual(['n2']);
    reportAll(membership);
    expect(told(membership.step({ kind: 'tick' }, rejoinWaitMs))).toEqual([]);
  });

  test('it dies itself: the ring is without it, nothing is called off', () => {
    const membership = settledWith(three);
    membership.step(drain(n2), 0);
    expect(told(membership.step(killed(n2), 0))).toEqual(['n1,n3']);
  });

  test('it dies while it leaves: out, as one that has died', () => {
    const membership = settledWith(three);
    membership.step(drain(n2), 0);
    reportAll(membership);
    const [effect] = membership.step(killed(n2), 0);
    expect(effect).toMatchObject({ kind: 'publish', view: { ring: [n1, n3], leaving: [] }, deaths: [{ node: n2 }] });
  });

  test('all survivors die while it leaves: it stays a member, for what it has not handed over', () => {
    const membership = settledWith([n1, n2]);
    membership.step(drain(n2), 0);
    reportAll(membership);
    expect(told(membership.step(killed(n1), 0))).toEqual([' (n2 leaves)']);
    expect(told(membership.step(ready(n1, 2), 0))).toEqual(['n1 (n2 leaves)']);
    expect(membership.view?.members).toMatchObject({ n1: { incarnation: 2 }, n2: { incarnation: 1 } });
    expect(told(reportAll(membership))).toEqual(['drained n2.1', 'settled']);
  });

  test('all survivors die while it leaves, and it is wanted again: it is the ring with them', () => {
    const membership = settledWith([n1, n2]);
    membership.step(drain(n2), 0);
    reportAll(membership);
    membership.step(killed(n1), 0);
    membership.step(undrain(n2), 0);
    expect(told(membership.step(ready(n1, 2), 0))).toEqual(['n1,n2']);
  });

  test('undrain while it hands over: the ring is as before', () => {
    const membership = settledWith(three);
    membership.step(drain(n2), 0);
    expect(told(membership.step(undrain(n2), 0))).toEqual(['n1,n2,n3']);
    reportAll(membership);
    expect(told(membership.step({ kind: 'tick' }, 0))).toEqual([]);
  });

  test('undrain while it waits its turn: it stays', () => {
    const membership = startedWith(three);
    membership.step(drain(n2), 0);
    expect(told(membership.step(undrain(n2), 0))).toEqual([]);
    reportAll(membership);
    expect(told(membership.step({ kind: 'tick' }, 0))).toEqual([]);
  });

  test('undrain while it leaves: it joins again as it is', () => {
    const membership = settledWith(three);
    membership.step(drain(n2), 0);
    reportAll(membership);
    expect(told(membership.step(undrain(n2), 0))).toEqual(['n1,n3 → n1,n2,n3']);
    expect(told(reportAll(membership))).toEqual(['n1,n2,n3']);
    expect(membership.view?.members['n2']?.incarnation).toBe(1);
  });

  test('undrain after it was told to end: it ends, and joins as a new incarnation', () => {
    const membership = settledWith(three);
    membership.step(drain(n2), 0);
    reportAll(membership);
    reportAll(membership);
    expect(told(membership.step(undrain(n2), 0))).toEqual(['settled, not whole']);
    expect(told(membership.step(left(n2), 0))).toEqual(['n1,n3']);
    expect(told(membership.step(ready(n2, 2), 0))).toEqual(['n1,n3 → n1,n2,n3']);
  });

  test('of a node that is joining: when it has joined', () => {
    const membership = settledWith([n1, n2]);
    membership.step({ kind: 'want', nodes: three }, 0);
    membership.step(ready(n3), 0);
    expect(told(membership.step(drain(n3), 0))).toEqual([]);
    reportAll(membership);
    reportAll(membership);
    expect(told(membership.step({ kind: 'tick' }, 0))).toEqual(['n1,n2,n3 → n1,n2']);
  });

  test('of a node outside: one that is ready, or comes to be, may end at once', () => {
    const membership = startedWith(three);
    membership.step(killed(n3), 0);
    membership.step(killed(n2), 0);
    membership.step(ready(n2, 2), 0);
    membership.step(ready(n3, 2), 0);
    expect(told(membership.step(drain(n3), 0))).toEqual(['drained n3.2']);
    expect(told(membership.step(ready(n3, 3), 0))).toEqual(['drained n3.3']);
  });

  test('a drained node does not spoil the whole', () => {
    const membership = settledWith(three);
    membership.step(drain(n2), 0);
    reportAll(membership);
    reportAll(membership);
    membership.step(left(n2), 0);
    expect(told(reportAll(membership))).toEqual(['settled']);
  });

  test('a join while one leaves: the join goes on, and who was told to end is not waited for', () => {
    const membership = settledWith(three);
    membership.step(drain(n2), 0);
    reportAll(membership);
    reportAll(membership);
    membership.step({ kind: 'want', nodes: [...three, n4] }, 0);
    expect(told(membership.step(ready(n4), 0))).toEqual(['n1,n3 → n1,n3,n4 (n2 leaves)']);
    expect(told(reportAll(membership, (node) => node !== n2))).toEqual(['n1,n3,n4 (n2 leaves)']);
    expect(told(membership.step(left(n2), 0))).toEqual(['n1,n3,n4']);
  });
});

describe('scale', () => {
  test('fewer: the last go first, one after the other', () => {
    const membership = settledWith([n1, n2, n3, n4]);
    expect(told(membership.step({ kind: 'want', nodes: [n1, n2] }, 0))).toEqual(['n1,n2,n3,n4 → n1,n2,n3']);
    reportAll(membership);
    expect(told(reportAll(membership))).toEqual(['drained n4.1', 'settled']);
    membership.step(left(n4), 0);
    reportAll(membership);
    expect(told(membership.step({ kind: 'tick' }, 0))).toEqual(['n1,n2,n3 → n1,n2']);
  });

  test('more: they join when they are ready, and the ring is whole when all are in it', () => {
    const membership = settledWith([n1]);
    expect(told(membership.step({ kind: 'want', nodes: [n1, n2, n3] }, 0))).toEqual(['settled, not whole']);
    expect(told(membership.step(ready(n2), 0))).toEqual(['n1 → n1,n2']);
    reportAll(membership);
    expect(told(reportAll(membership))).toEqual(['settled, not whole']);
    membership.step(ready(n3), 0);
    reportAll(membership);
    expect(told(reportAll(membership))).toEqual(['settled']);
  });

  test('wanted again while it leaves: it stays', () => {
    const membership = settledWith(three);
    membership.step({ kind: 'want', nodes: [n1, n2] }, 0);
    expect(told(membership.step({ kind: 'want', nodes: three }, 0))).toEqual(['n1,n2,n3']);
  });

  test('a node that never came is not wanted any more: the ring is whole without it, and that is told', () => {
    const membership = settledWith([n1, n2]);
    membership.step({ kind: 'want', nodes: three }, 0);
    expect(told(membership.step({ kind: 'want', nodes: [n1, n2] }, 0))).toEqual(['settled']);
  });

  test('joins and drains wait: they take turns', () => {
    const membership = settledWith([n1, n2]);
    membership.step({ kind: 'want', nodes: [n1, n2, n3, n4] }, 0);
    membership.step(ready(n3), 0);
    membership.step(ready(n4), 0);
    membership.step(drain(n2), 0);
    reportAll(membership);
    // It is the drain's turn, and it needs a settled view: the other join waits for it.
    expect(told(membership.step({ kind: 'tick' }, 0))).toEqual([]);
    reportAll(membership);
    expect(told(membership.step({ kind: 'tick' }, 0))).toEqual(['n1,n2,n3 → n1,n3']);
    reportAll(membership);
    expect(told(membership.step({ kind: 'tick' }, 0))).toEqual(['n1,n3 → n1,n3,n4 (n2 leaves)']);
  });

  test('a node does nothing but die and return: a drain takes its turn all the same', () => {
    const membership = settledWith(three);
    membership.step(killed(n3), 0);
    membership.step(drain(n2), 0);
    membership.step(ready(n3, 2), 1);
    membership.step(killed(n3, 2), 2);
    reportAll(membership);
    expect(told(membership.step({ kind: 'tick' }, 3))).toEqual([]);
    expect(told(membership.step(ready(n3, 3), rejoinWaitMs))).toEqual(['n1,n2 → n1']);
  });
});
