import { describe, expect, test } from 'vitest';
import { bounds } from '../bounds.ts';
import { idRanked, Members, n1, n2, n3, nextRequest, viewOf } from './members.test-suite.ts';

const idleMs = 100_000;
const graceMs = 5_000;
const lifetimes = { idleMs, deadlineMs: 10_000 };
const before = viewOf(1, [n1, n2, n3]);
const after = viewOf(2, [n2, n3]);
const id = idRanked(before, [n1, n2]);

function start(): Members {
  const cluster = new Members([n1, n2, n3], lifetimes);
  cluster.nowMs = 1_000;
  cluster.enter(before);
  return cluster;
}

function killPrimary(cluster: Members): void {
  cluster.kill(n1);
  cluster.enter(after);
}

describe('touch', () => {
  const touchesOf = ({ sent }: Members) =>
    sent.flatMap(({ to, message }) => (message.kind === 'touched' ? [[to, message.sessions.length]] : []));

  test('read after a pause, and the primary dies in that moment: the copy has been told', () => {
    const cluster = start();
    cluster.make(id, n1);
    cluster.wait(idleMs - 10_000);
    cluster.sent.length = 0;
    expect(cluster.look(id, n1)?.deleted).toBe(false);
    expect(touchesOf(cluster)).toEqual([[n2, 1]]);
    killPrimary(cluster);
    // Long past the idle limit of its last write, not of its last use.
    cluster.wait(idleMs - 1_000);
    expect(cluster.look(id, n2)?.deleted).toBe(false);
  });

  test('read soon after: told in a batch, without an answer; a death before that is covered by the grace', () => {
    const cluster = start();
    cluster.make(id, n1);
    cluster.sent.length = 0;
    cluster.wait(graceMs - 1);
    expect(cluster.look(id, n1)?.deleted).toBe(false);
    expect(touchesOf(cluster)).toEqual([]);
    cluster.wait(graceMs);
    expect(touchesOf(cluster)).toEqual([[n2, 1]]);
    const early = start();
    early.make(id, n1);
    early.wait(2_000);
    expect(early.look(id, n1)?.deleted).toBe(false);
    killPrimary(early);
    early.wait(idleMs - 1);
    expect(early.look(id, n2)?.deleted).toBe(false);
  });

  test('read while the copy cannot be reached: told with a later batch', () => {
    const cluster = start();
    cluster.make(id, n1);
    cluster.wait(idleMs - 10_000);
    cluster.step(n1, { kind: 'link', member: n2, incarnation: 1, up: false });
    expect(cluster.look(id, n1)?.deleted).toBe(false);
    cluster.step(n1, { kind: 'link', member: n2, incarnation: 1, up: true });
    cluster.sent.length = 0;
    cluster.wait(graceMs);
    expect(touchesOf(cluster)).toEqual([[n2, 1]]);
  });

  test('the last use was not told any more: the promoted member grants the grace, not more', () => {
    const early = start();
    early.make(id, n1);
    killPrimary(early);
    early.wait(idleMs + graceMs - 100);
    expect(early.look(id, n2)?.deleted).toBe(false);
    const late = start();
    late.make(id, n1);
    killPrimary(late);
    late.wait(idleMs + graceMs + 100);
    expect(late.look(id, n2)?.deleted).toBe(true);
  });

  test('used at the former primary, not told any more, then handed over: the new one goes by that use', () => {
    const cluster = new Members([n1, n2, n3], lifetimes);
    cluster.nowMs = 1_000;
    cluster.enter(viewOf(1, [n1, n2]));
    const moving = idRanked(before, [n3, n2]);
    cluster.make(moving, n2);
    cluster.wait(idleMs - 1_000);
    // The other copy never hears of it: of the same custody and version, it is older all the same.
    cluster.cut.add(n1);
    expect(cluster.look(moving, n2)?.deleted).toBe(false);
    cluster.wait(graceMs);
    cluster.cut.delete(n1);
    cluster.enter(viewOf(2, [n1, n2, n3]));
    cluster.wait(graceMs);
    expect(cluster.look(moving, n3)?.deleted).toBe(false);
  });

  test('used all the time: the absolute limit holds', () => {
    const cluster = start();
    cluster.make(id, n1, { create: { createdAt: 1_000, expiresAt: 301_000 } });
    for (let passed = 0; passed < 300_000; passed += 50_000) {
      expect(cluster.look(id, n1)?.deleted).toBe(false);
      cluster.wait(50_000);
    }
    cluster.wait(1_000);
    expect(cluster.look(id, n1)).toBeNull();
  });
});

describe('tombstone', () => {
  test('the session could not exist any more: forgotten by the primary and its copy', () => {
    const cluster = start();
    cluster.make(id, n1);
    const request = nextRequest();
    cluster.ask(n1, (token) => ({ kind: 'open', id, request, token }));
    expect(cluster.settled(cluster.commit(id, n1, request, { destroy: true }))).toBe('safe');
    cluster.step(n1, { kind: 'close', id, request });
    cluster.wait(idleMs);
    expect(cluster.look(id, n1)?.deleted).toBe(true);
    // The copy keeps it for a margin of a minute, so that nothing comes back in between.
    cluster.wait(2 * graceMs + 61_000);
    expect(cluster.look(id, n1)).toBeNull();
  });
});

describe('request log', () => {
  const { logAnswerBytesMax, logEntriesMax } = bounds;

  test('an idle session: its log is forgotten once no retry can ask for it', () => {
    const cluster = start();
    const request = cluster.make(id, n1);
    cluster.wait(50_000);
    expect(cluster.members.get(n1)?.primary.logged(id, request)).not.toBeNull();
    cluster.wait(20_000);
    expect(cluster.members.get(n1)?.primary.logged(id, request)).toBeNull();
  });

  test('a request that goes on running: its entry and all after it stay, however old', () => {
    const cluster = start();
    cluster.make(id, n1);
    const long = nextRequest();
    cluster.ask(n1, (token) => ({ kind: 'open', id, request: long, token }));
    cluster.commit(id, n1, long);
    const next = cluster.nowMs;
    cluster.wait(90_000);
    const other = nextRequest();
    cluster.ask(n1, (token) => ({ kind: 'open', id, request: other, token }));
    cluster.commit(id, n1, other);
    expect(cluster.members.get(n1)?.primary.logged(id, long)?.at).toBe(next);
    killPrimary(cluster);
    expect(cluster.look(id, n2)?.log.get(long)?.at).toBe(next);
  });

  test('many undelivered answers: bounded in number and in bytes, the ids stay', () => {
    const cluster = start();
    cluster.make(id, n1);
    const answer = new Uint8Array(64 * 1024);
    for (let count = 0; count < logEntriesMax + 10; count += 1) cluster.commit(id, n1, nextRequest(), { answer });
    for (const record of [cluster.look(id, n1)]) {
      expect(record?.log.size).toBe(logEntriesMax);
      const kept = [...(record?.log.values() ?? [])].reduce((sum, entry) => sum + (entry.answer?.byteLength ?? 0), 0);
      expect(kept).toBe(logAnswerBytesMax);
      expect(record?.answerBytes).toBe(kept);
    }
  });
});
