import { expect, test } from 'vitest';
import { Membership } from '../membership.ts';
import type { View } from '../view.ts';
import {
  basics,
  deathOf,
  drain,
  left,
  n1,
  n2,
  n3,
  ready,
  reportAll,
  settledWith,
  told,
  undrain,
} from './harness.test-suite.ts';

const three = [n1, n2, n3];
const adopting = (adopt: View | null, wanted = three) => new Membership({ ...basics, term: 2, wanted, adopt });

test('adoption: everyone lives: the same ring in a view above the adopted one', () => {
  const { view } = settledWith(three);
  const membership = adopting(view);
  expect(membership.view).toBe(view);
  const [effect] = membership.step({ kind: 'adopted', dead: [] }, 0);
  expect(effect).toMatchObject({ kind: 'publish', view: { ...view, term: 2, number: 2 }, deaths: [] });
  expect(told(reportAll(membership))).toEqual(['settled']);
});

test('adoption: some died meanwhile: one view without all of them, and it says how', () => {
  const membership = adopting(settledWith(three).view);
  const effects = membership.step({ kind: 'adopted', dead: [deathOf(n1), deathOf(n3), deathOf(n2, 9)] }, 0);
  expect(effects).toMatchObject([{ view: { ring: [n2] }, deaths: [{ node: n1 }, { node: n3 }] }]);
});

test('adoption: nobody lives: the ring is empty, and who is started afresh makes the first view', () => {
  const membership = adopting(settledWith([n1]).view, [n1]);
  expect(told(membership.step({ kind: 'adopted', dead: [deathOf(n1)] }, 0))).toEqual(['']);
  expect(told(membership.step(ready(n1, 2), 0))).toEqual(['n1']);
  expect(membership.view).toMatchObject({ term: 2, number: 3 });
});

test('adoption: nothing is published before it is told', () => {
  const membership = adopting(settledWith([n1, n2]).view);
  expect(told(membership.step(ready(n3), 0))).toEqual([]);
  expect(told(membership.step({ kind: 'adopted', dead: [] }, 0))).toEqual(['n1,n2', 'n1,n2 → n1,n2,n3']);
});

test('adoption: in the middle of a join: it goes on', () => {
  const before = settledWith([n1, n2]);
  before.step({ kind: 'want', nodes: three }, 0);
  before.step(ready(n3), 0);
  const membership = adopting(before.view);
  expect(told(membership.step({ kind: 'adopted', dead: [] }, 0))).toEqual(['n1,n2 → n1,n2,n3']);
  expect(told(reportAll(membership))).toEqual(['n1,n2,n3']);
});

test('adoption: in the middle of a drain: it goes on, and is called off only by a wish', () => {
  const before = settledWith(three);
  before.step(drain(n2), 0);
  const membership = adopting(before.view);
  expect(told(membership.step({ kind: 'adopted', dead: [] }, 0))).toEqual(['n1,n2,n3 → n1,n3']);
  expect(told(membership.step(drain(n2), 0))).toEqual([]);
  expect(told(membership.step(undrain(n2), 0))).toEqual(['n1,n2,n3']);
});

test('adoption: in the middle of a drain, a survivor is dead: called off', () => {
  const before = settledWith(three);
  before.step(drain(n2), 0);
  const membership = adopting(before.view);
  expect(told(membership.step({ kind: 'adopted', dead: [deathOf(n3)] }, 0))).toEqual(['n1,n2']);
});

test('adoption: one is leaving: it is declared drained again, and may have ended already', () => {
  const before = settledWith(three);
  before.step(drain(n2), 0);
  reportAll(before);
  reportAll(before);
  const membership = adopting(before.view);
  expect(told(membership.step({ kind: 'adopted', dead: [] }, 0))).toEqual(['n1,n3 (n2 leaves)']);
  expect(told(reportAll(membership))).toEqual(['drained n2.1', 'settled']);
  expect(told(membership.step(left(n2), 0))).toEqual(['n1,n3']);
});

test('adoption: one is leaving and wanted again: it may have been told to end, so it does not come back as it is', () => {
  const before = settledWith(three);
  before.step(drain(n2), 0);
  reportAll(before);
  const membership = adopting(before.view);
  membership.step({ kind: 'adopted', dead: [] }, 0);
  expect(told(membership.step(undrain(n2), 0))).toEqual([]);
  expect(told(reportAll(membership))).toEqual(['drained n2.1', 'settled, not whole']);
  expect(told(membership.step(left(n2), 0))).toEqual(['n1,n3']);
  expect(told(membership.step(ready(n2, 2), 0))).toEqual(['n1,n3 → n1,n2,n3']);
});

test('adoption: with fewer nodes wanted: the others are drained', () => {
  const membership = adopting(settledWith(three).view, [n1, n2]);
  membership.step({ kind: 'adopted', dead: [] }, 0);
  reportAll(membership);
  expect(told(membership.step({ kind: 'tick' }, 0))).toEqual(['n1,n2,n3 → n1,n2']);
});

test('adoption: a drain goes on that would leave nobody now: refused, and the node is wanted again', () => {
  const before = settledWith([n1, n2]);
  before.step(drain(n1), 0);
  reportAll(before);
  const membership = adopting(before.view, [n1]);
  membership.step({ kind: 'adopted', dead: [deathOf(n1), deathOf(n2)] }, 0);
  expect(told(membership.step(drain(n1), 0))).toEqual(['refused n1: last']);
  expect(told(membership.step(ready(n1, 2), 0))).toEqual(['n1']);
});
