import { expect, test } from 'vitest';
import { bounds } from '../bounds.ts';
import { numberOf } from '../view.ts';
import { idRanked, Members, n1, n2, n3, nextRequest, viewOf } from './members.test-suite.ts';

const before = viewOf(1, [n1, n2, n3]);
const lifetimes = { idleMs: 100_000, deadlineMs: 10_000 };

test('renew: the old session is not held here any more: refused, and the new id is no second home of its data', () => {
  const cluster = new Members([n1, n2, n3], lifetimes);
  cluster.enter(before);
  const [old, id] = [idRanked(before, [n1, n2]), idRanked(before, [n1, n2], 1)];
  const request = nextRequest();
  cluster.ask(n1, (token) => ({ kind: 'create', id, request, token }));
  cluster.sent.length = 0;
  const token = cluster.commit(id, n1, request, { bury: old, create: { createdAt: 0, expiresAt: 1e9 } });
  expect(cluster.settled(token)).toBe('refused');
  expect(cluster.sent).toEqual([]);
});

test('renew: a copy has missed the write: it gets the new session and the tombstone in one message, or neither', () => {
  const cluster = new Members([n1, n2, n3], lifetimes);
  cluster.enter(before);
  const [old, id] = [idRanked(before, [n1, n2]), idRanked(before, [n1, n2], 1)];
  cluster.make(old, n1);
  const request = nextRequest();
  cluster.ask(n1, (token) => ({ kind: 'open', id: old, request, token }));
  cluster.ask(n1, (token) => ({ kind: 'create', id, request, token }));
  cluster.cut.add(n2);
  const token = cluster.commit(id, n1, request, { bury: old, create: { createdAt: 0, expiresAt: 1e9 } });
  cluster.cut.delete(n2);
  cluster.sent.length = 0;
  cluster.step(n1, { kind: 'link', member: n2, incarnation: 1, up: true });
  const told = cluster.sent.filter(({ to, message }) => to === n2 && message.kind === 'record');
  expect(told).toMatchObject([{ message: { record: { id }, buried: [{ id: old, deleted: true }] } }]);
  expect(cluster.members.get(n2)?.copy.held(id)?.mark.version).toBe(1);
  expect(cluster.members.get(n2)?.copy.held(old)?.deleted).toBe(true);
  expect(cluster.settled(token)).toBe('safe');
});

test('renew: no room for the write, and writes of the old session under way: its tombstone still goes with the new one', () => {
  const cluster = new Members([n1, n2, n3], { ...lifetimes, bounds: { ...bounds, freshMax: 2 } });
  cluster.enter(before);
  const [old, id] = [idRanked(before, [n1, n2]), idRanked(before, [n1, n2], 1)];
  cluster.make(old, n1);
  cluster.cut.add(n2);
  cluster.commit(old, n1, nextRequest());
  cluster.commit(old, n1, nextRequest());
  const request = nextRequest();
  cluster.ask(n1, (token) => ({ kind: 'open', id: old, request, token }));
  cluster.ask(n1, (token) => ({ kind: 'create', id, request, token }));
  cluster.sent.length = 0;
  cluster.commit(id, n1, request, { bury: old, create: { createdAt: 0, expiresAt: 1e9 } });
  expect(cluster.sent).toEqual([]);
  const ack = { kind: 'ack', id: old, view: numberOf(before), version: 2 } as const;
  cluster.step(n1, { kind: 'message', from: n2, message: ack });
  expect(cluster.sent).toMatchObject([{ message: { record: { id }, buried: [{ id: old, deleted: true }] } }]);
});

test('renew: the old session is held here: buried with the same write', () => {
  const cluster = new Members([n1, n2, n3], lifetimes);
  cluster.enter(before);
  const [old, id] = [idRanked(before, [n1, n2]), idRanked(before, [n1, n2], 1)];
  cluster.make(old, n1);
  const request = nextRequest();
  cluster.ask(n1, (token) => ({ kind: 'open', id: old, request, token }));
  cluster.ask(n1, (token) => ({ kind: 'create', id, request, token }));
  const token = cluster.commit(id, n1, request, { bury: old, create: { createdAt: 0, expiresAt: 1e9 } });
  expect(cluster.settled(token)).toBe('safe');
  expect(cluster.look(old, n1)?.deleted).toBe(true);
  expect(cluster.members.get(n2)?.copy.held(old)?.deleted).toBe(true);
});
