import { describe, expect, test } from 'vitest';
import { basics, killed, n1, n2, n3, ready, reportAll, startedWith } from './membership/harness.test-suite.ts';
import { firstViewWaitMs, Membership, type MembershipEffect } from './membership.ts';

const started = () => startedWith([n1, n2, n3]);
const rings = (effects: readonly MembershipEffect[]) =>
  effects.map((e) => {
    if (e.kind === 'publish') return [e.view.ring.join(), e.view.next?.join() ?? null];
    return e.kind === 'settled' ? [e.kind, e.whole] : [e.kind, e.node];
  });

describe('membership', () => {
  test('start: all nodes ready: one view with all of them', () => {
    const membership = new Membership({ ...basics, wanted: [n1, n2] });
    expect(membership.step(ready(n2), 0)).toEqual([]);
    expect(rings(membership.step(ready(n1), 1))).toEqual([['n1,n2', null]]);
    expect(membership.view?.number).toBe(1);
  });

  test('start: one node does not come: the others start without it after a while', () => {
    const membership = new Membership({ ...basics, wanted: [n1, n2] });
    membership.step(ready(n1), 100);
    expect(membership.step({ kind: 'tick' }, 99 + firstViewWaitMs)).toEqual([]);
    expect(rings(membership.step({ kind: 'tick' }, 100 + firstViewWaitMs))).toEqual([['n1', null]]);
  });

  test('start: a node is given up: the others start at once, and are whole', () => {
    const membership = new Membership({ ...basics, wanted: [n1, n2] });
    membership.step(ready(n1), 0);
    expect(rings(membership.step({ kind: 'givenUp', node: n2 }, 1))).toEqual([['n1', null]]);
    expect(rings(reportAll(membership))).toEqual([['settled', true]]);
  });

  test('start: nodes that have taken in saved sessions: they are the first view at once, the missing one joins', () => {
    const membership = new Membership({ term: 1, copies: 2, keyId: 7, wanted: [n1, n2, n3], adopt: null });
    const nodes = [n2, n1].map((node) => ({ node, incarnation: 1, weight: 1 }));
    expect(rings(membership.step({ kind: 'start', nodes }, 0))).toEqual([['n1,n2', null]]);
    expect(rings(membership.step(ready(n3), 1))).toEqual([['n1,n2', 'n1,n2,n3']]);
  });

  test('death: a ring member dies: the next view is without it and says how it died', () => {
    const membership = started();
    const [effect] = membership.step(killed(n2), 0);
    expect(effect).toMatchObject({ kind: 'publish', view: { number: 2, ring: [n1, n3], next: null } });
    expect(effect?.kind === 'publish' && effect.deaths[0]?.node).toBe(n2);
    expect(Object.keys(membership.view?.members ?? {})).toEqual(['n1', 'n3']);
  });

  test('death: told of a former incarnation: nothing happens', () => {
    const membership = started();
    expect(membership.step(killed(n2, 9), 0)).toEqual([]);
  });

  test('join: a restarted node: joint view, then ring, only when every side of the ring is done', () => {
    const membership = started();
    membership.step(killed(n2), 0);
    expect(rings(membership.step(ready(n2, 2), 0))).toEqual([['n1,n3', 'n1,n2,n3']]);
    const view = membership.view;
    expect(view).not.toBeNull();
    if (view === null) return;
    const done = (node: typeof n1, side: 'app' | 'keeper') =>
      membership.step({ kind: 'done', node, incarnation: 1, side, view }, 0);
    expect([...done(n1, 'app'), ...done(n1, 'keeper'), ...done(n3, 'app')]).toEqual([]);
    expect(rings(done(n3, 'keeper'))).toEqual([['n1,n2,n3', null]]);
    expect(membership.view?.members['n2']?.incarnation).toBe(2);
  });

  test('join: the joiner dies: the joint view is undone', () => {
    const membership = started();
    membership.step(killed(n2), 0);
    membership.step(ready(n2, 2), 0);
    expect(rings(membership.step(killed(n2, 2), 0))).toEqual([['n1,n3', null]]);
  });

  test('join: a ring member dies meanwhile: the join goes on without it', () => {
    const membership = started();
    membership.step(killed(n2), 0);
    membership.step(ready(n2, 2), 0);
    expect(rings(membership.step(killed(n3), 0))).toEqual([['n1', 'n1,n2']]);
  });

  test('join: the whole ring dies: the joiner is the ring', () => {
    const membership = new Membership({ ...basics, wanted: [n1] });
    membership.step(ready(n1), 0);
    membership.step({ kind: 'want', nodes: [n1, n2] }, 0);
    membership.step(ready(n2), 0);
    expect(rings(membership.step(killed(n1), 0))).toEqual([['n2', null]]);
  });

  test('join: two nodes wait: one after the other', () => {
    const membership = started();
    membership.step(killed(n2), 0);
    membership.step(killed(n3), 0);
    expect(rings(membership.step(ready(n3, 2), 0))).toEqual([['n1', 'n1,n3']]);
    expect(membership.step(ready(n2, 2), 0)).toEqual([]);
    expect(rings(reportAll(membership))).toEqual([['n1,n3', null]]);
    expect(rings(membership.step({ kind: 'tick' }, 0))).toEqual([['n1,n3', 'n1,n2,n3']]);
  });

  test('everyone dies: the ring is empty, whoever comes back starts afresh with a higher number', () => {
    const membership = started();
    for (const node of [n1, n2, n3]) membership.step(killed(node), 10);
    expect(membership.view?.ring).toEqual([]);
    membership.step(ready(n1, 2), 20);
    expect(rings(membership.step({ kind: 'tick' }, 20 + firstViewWaitMs))).toEqual([['n1', null]]);
    expect(membership.view?.number).toBe(5);
  });

  test('settled: told once per view, not whole while a wanted node is missing', () => {
    const membership = started();
    expect(rings(reportAll(membership))).toEqual([['settled', true]]);
    expect(reportAll(membership)).toEqual([]);
    membership.step(killed(n2), 0);
    expect(rings(reportAll(membership))).toEqual([['settled', false]]);
  });
});
