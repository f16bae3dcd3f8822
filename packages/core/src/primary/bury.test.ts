import { expect, test } from 'vitest';
import { bounds } from '../bounds.ts';
import { numberOf } from '../view.ts';
import { idRanked, Members, n1, n2, n3, nextRequest, viewOf } from './members.test-suite.ts';

const before = viewOf(1, [n1, n2, n3]);
const lifetimes = { idleMs: 100_000, deadlineMs: 10_000 };
const [old, id] = [idRanked(before, [n1, n2]), idRanked(before, [n1, n2], 1)];

function start(given = bounds): Members {
  const cluster = new Members([n1, n2, n3], { ...lifetimes, bounds: given });
  cluster.enter(before);
  return cluster;
}

/** A request renews the session: what is under the old id goes on under the new one. Gives the token of its commit. */
function renew(cluster: Members): number {
  const request = nextRequest();
  cluster.ask(n1, (token) => ({ kind: 'open', id: old, request, token }));
  cluster.ask(n1, (token) => ({ kind: 'create', id, request, token }));
  cluster.sent.length = 0;
  return cluster.commit(id, n1, request, { bury: old, create: { createdAt: 0, expiresAt: 1e9 } });
}

test('renew: the old session is not held here any more: refused, and the new id is no second home of its data', () => {
  const cluster = start();
  const request = nextRequest();
  cluster.ask(n1, (token) => ({ kind: 'create', id, request, token }));
  cluster.sent.length = 0;
  const token = cluster.commit(id, n1, request, { bury: old, create: { createdAt: 0, expiresAt: 1e9 } });
  expect(cluster.settled(token)).toBe('refused');
  expect(cluster.sent).toEqual([]);
});

test('renew: the old session is held here: buried with the same write', () => {
  const cluster = start();
  cluster.make(old, n1);
  expect(cluster.settled(renew(cluster))).toBe('safe');
  expect(cluster.look(old, n1)?.deleted).toBe(true);
  expect(cluster.members.get(n2)?.copy.held(old)?.deleted).toBe(true);
});

test('renew: a copy has missed the write: it gets the new session and the tombstone in one message, or neither', () => {
  const cluster = start();
  cluster.make(old, n1);
  cluster.cut.add(n2);
  const token = renew(cluster);
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
  const cluster = start({ ...bounds, freshMax: 2 });
  cluster.make(old, n1);
  cluster.cut.add(n2);
  cluster.commit(old, n1, nextRequest());
  cluster.commit(old, n1, nextRequest());
  renew(cluster);
  expect(cluster.sent).toEqual([]);
  const ack = { kind: 'ack', id: old, view: numberOf(before), version: 2 } as const;
  cluster.step(n1, { kind: 'message', from: n2, message: ack });
  expect(cluster.sent).toMatchObject([{ message: { record: { id }, buried: [{ id: old, deleted: true }] } }]);
});
