import { describe, expect, test } from 'vitest';
import { bounds } from '../bounds.ts';
import type { SessionId } from '../ids.ts';
import { bulkBytesMax, bulkPerSecond, freshBytesMax, Lane } from './lane.ts';
import { idRanked, Members, n1, n2, n3, nextRequest, viewOf } from './members.test-suite.ts';
import { lateMsMax, nextShare, shareMin } from './pace.ts';

const { bulkMax } = bounds;
const ids = Array.from({ length: 500 }, (_, at) => `s${at}` as SessionId);
const at = (index: number): SessionId => ids[index] ?? ids[0] ?? ('' as SessionId);
const lifetimes = { idleMs: 1e9, deadlineMs: 10_000 };

/** Takes what has its turn now, and counts it as sent. */
function drain(lane: Lane, nowMs: number, bytes = 500): SessionId[] {
  const taken: SessionId[] = [];
  for (let turn = lane.turn(nowMs); turn.kind === 'id'; turn = lane.turn(nowMs)) {
    lane.sent(turn.id, 1, bytes, turn.isBulk);
    taken.push(turn.id);
  }
  return taken;
}

describe('lane', () => {
  test('the three kinds at once: held first, then recent, then the rest', () => {
    const lane = new Lane();
    lane.want(at(0), 'rest');
    lane.want(at(1), 'recent');
    lane.want(at(2), 'rest');
    lane.want(at(3), 'held');
    lane.want(at(2), 'held');
    expect(drain(lane, 1_000)).toEqual([at(3), at(2), at(1), at(0)]);
  });

  test('nobody answers: a bounded number of records and bytes is under way, held ones go all the same', () => {
    const lane = new Lane();
    for (const id of ids) lane.want(id, 'rest');
    let sent = 0;
    for (let now = 0; now < 1_000; now += 5) sent += drain(lane, now, 100).length;
    expect(sent).toBe(bulkMax);
    lane.want(at(499), 'held');
    expect(drain(lane, 2_000)).toEqual([at(499)]);
    const large = new Lane();
    for (const id of ids) large.want(id, 'rest');
    let count = 0;
    for (let now = 0; now < 1_000; now += 5) count += drain(large, now, 10_000).length;
    expect(count).toBe(Math.ceil(bulkBytesMax / 10_000));
  });

  test('answered at once: no more than the rate', () => {
    const lane = new Lane();
    const many = Array.from({ length: 10_000 }, (_, index) => `m${index}` as SessionId);
    for (const id of many) lane.want(id, 'rest');
    let sent = 0;
    for (let now = 0; now < 1_000; now += 5) {
      for (const id of drain(lane, now)) {
        lane.acknowledged(id, 1);
        sent += 1;
      }
    }
    expect(sent).toBeLessThanOrEqual(bulkPerSecond * 1.1);
    expect(sent).toBeGreaterThan(bulkPerSecond * 0.8);
  });

  test('a full window is answered one by one: nothing goes until half of it is free, then half of it at once', () => {
    const lane = new Lane();
    for (const id of ids) lane.want(id, 'rest');
    const sent: SessionId[] = [];
    for (let now = 0; sent.length < bulkMax; now += 5) sent.push(...drain(lane, now, 100));
    const later = 10_000;
    const half = bulkMax / 2;
    for (const id of sent.slice(0, half - 1)) {
      lane.acknowledged(id, 1);
      expect(drain(lane, later)).toEqual([]);
    }
    lane.acknowledged(sent[half - 1] as SessionId, 1);
    expect(drain(lane, later, 100)).toHaveLength(half);
  });

  test('the rate is used up: what follows goes many at a time, not one by one', () => {
    const lane = new Lane();
    const many = Array.from({ length: 10_000 }, (_, index) => `m${index}` as SessionId);
    for (const id of many) lane.want(id, 'rest');
    let turns = 0;
    let sent = 0;
    for (let now = 0; now < 1_000; now += 0.25) {
      const taken = drain(lane, now);
      for (const id of taken) lane.acknowledged(id, 1);
      sent += taken.length;
      if (taken.length > 0) turns += 1;
    }
    expect(sent / turns).toBeGreaterThan(10);
  });

  test('a share of the pace: that much of it, and no more', () => {
    const lane = new Lane();
    const many = Array.from({ length: 10_000 }, (_, index) => `m${index}` as SessionId);
    for (const id of many) lane.want(id, 'rest');
    let sent = 0;
    for (let now = 0; now < 4_000; now += 5) {
      for (let turn = lane.turn(now, 1 / 4); turn.kind === 'id'; turn = lane.turn(now, 1 / 4)) {
        lane.sent(turn.id, 1, 500, true);
        lane.acknowledged(turn.id, 1);
        sent += 1;
      }
    }
    expect(sent).toBeLessThanOrEqual(bulkPerSecond * 1.1);
    expect(sent).toBeGreaterThan(bulkPerSecond * 0.8);
  });

  test('fresh writes beyond the window: no room until they are answered', () => {
    const lane = new Lane();
    lane.sent(at(0), 1, freshBytesMax / 2, false);
    lane.sent(at(0), 2, freshBytesMax / 2, false);
    expect(lane.hasRoom).toBe(false);
    lane.acknowledged(at(0), 1);
    expect(lane.hasRoom).toBe(true);
    expect(lane.isUnderWay(at(0))).toBe(true);
    lane.acknowledged(at(0), 2);
    expect(lane.isUnderWay(at(0))).toBe(false);
  });
});

const view = viewOf(1, [n1, n2, n3]);
const after = viewOf(2, [n1, n3]);

function start(count: number, given: { readonly bytes?: number } = {}): { cluster: Members; made: SessionId[] } {
  const cluster = new Members([n1, n2, n3], lifetimes);
  cluster.nowMs = 1_000;
  cluster.enter(view);
  const made = Array.from({ length: count }, (_, index) => idRanked(view, [n1, n2, n3], index));
  const change = { set: new Map([['n', new Uint8Array(given.bytes ?? 1)]]), remove: [] };
  for (const id of made) cluster.make(id, n1, { change });
  return { cluster, made };
}

/** n2, the buddy, is gone: n3 has to get everything. */
function killBuddy(cluster: Members): void {
  cluster.kill(n2);
  cluster.sent.length = 0;
  cluster.enter(after);
}

const sentTo = (cluster: Members, kind: string) =>
  cluster.sent.filter(({ to, message }) => to === n3 && message.kind === kind);

describe('share of the pace', () => {
  test('late ticks, then ticks in time: down to the least share at once, back to the whole in seconds', () => {
    let share = 1;
    for (let tick = 0; tick < 10; tick += 1) share = nextShare(share, lateMsMax + 1);
    expect(share).toBe(shareMin);
    share = nextShare(share, lateMsMax);
    expect(share).toBeGreaterThan(shareMin);
    for (let tick = 0; tick < 40; tick += 1) share = nextShare(share, 0);
    expect(share).toBe(1);
  });

  test('a buddy dies and the loop is late at every tick: copying takes much longer, and all of it is done', () => {
    const { cluster } = start(300);
    killBuddy(cluster);
    const machine = cluster.members.get(n1)?.primary;
    for (let tick = 0; tick < 3; tick += 1) machine?.step({ kind: 'tick', lateMs: lateMsMax + 1 }, cluster.nowMs);
    const left = machine?.unprotected ?? 0;
    expect(left).toBeGreaterThan(0);
    cluster.wait(20);
    expect(machine?.unprotected).toBeGreaterThan(left - (bulkPerSecond / 50) * 0.75);
    cluster.wait(3_000);
    expect(machine?.unprotected).toBe(0);
  });
});

describe('supply', () => {
  test('a buddy dies: its sessions are copied at the pace of the link, none stays behind', () => {
    const { cluster } = start(300);
    killBuddy(cluster);
    const first = sentTo(cluster, 'record').length;
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(2 * bulkMax);
    expect(cluster.members.get(n1)?.primary.unprotected).toBe(300 - first);
    cluster.wait(500);
    expect(cluster.members.get(n1)?.primary.unprotected).toBe(0);
    expect(cluster.members.get(n3)?.copy.count().sessions).toBe(300);
    expect(sentTo(cluster, 'record')).toHaveLength(300);
  });

  test('a write while its session waits for its turn: sent at once, as a record that holds the write', () => {
    const { cluster, made } = start(300);
    killBuddy(cluster);
    const last = made.at(-1) as SessionId;
    expect(
      sentTo(cluster, 'record').some(({ message }) => message.kind === 'record' && message.record.id === last),
    ).toBe(false);
    const request = nextRequest();
    cluster.ask(n1, (token) => ({ kind: 'open', id: last, request, token }));
    expect(cluster.settled(cluster.commit(last, n1, request))).toBe('safe');
    const records = sentTo(cluster, 'record').filter(
      ({ message }) => message.kind === 'record' && message.record.id === last,
    );
    expect(records.map(({ message }) => message.kind === 'record' && message.record.mark.version)).toEqual([2]);
    expect(sentTo(cluster, 'write')).toHaveLength(0);
  });

  test('large sessions: named first, sent whole to whoever lacks them', () => {
    const { cluster } = start(5, { bytes: 20_000 });
    killBuddy(cluster);
    cluster.wait(100);
    expect(sentTo(cluster, 'digest')).toHaveLength(5);
    expect(sentTo(cluster, 'record')).toHaveLength(5);
    expect(cluster.members.get(n1)?.primary.unprotected).toBe(0);
  });

  test('a member that answers nothing: writes beyond the window are not sent, and all are safe when it answers again', () => {
    const { cluster, made } = start(20);
    const large = { change: { set: new Map([['n', new Uint8Array(freshBytesMax / 10)]]), remove: [] } };
    cluster.cut.add(n2);
    cluster.sent.length = 0;
    const tokens = made.map((id) => {
      const request = nextRequest();
      cluster.ask(n1, (token) => ({ kind: 'open', id, request, token }));
      return cluster.commit(id, n1, request, large);
    });
    expect(cluster.sent.filter(({ message }) => message.kind === 'write')).toHaveLength(10);
    expect(tokens.map((token) => cluster.settled(token))).toEqual(tokens.map(() => null));
    cluster.cut.delete(n2);
    cluster.step(n1, { kind: 'link', member: n2, incarnation: 1, up: true });
    expect(tokens.map((token) => cluster.settled(token))).toEqual(tokens.map(() => 'safe'));
  });

  test('a death that concerns only some sessions: nothing is said of the others', () => {
    const { cluster } = start(10);
    const kept = idRanked(view, [n1, n3]);
    cluster.make(kept, n1);
    killBuddy(cluster);
    cluster.wait(200);
    expect(sentTo(cluster, 'record')).toHaveLength(10);
    expect(cluster.look(kept, n1)?.mark.version).toBe(1);
  });
});

describe('custody', () => {
  test('who holds the sessions is known at any time: made, buddy lost, copied again, destroyed', () => {
    const { cluster, made } = start(100);
    const primary = cluster.members.get(n1)?.primary;
    expect(primary?.holdings).toEqual([{ holders: ['n2.1'], sessions: 100 }]);
    killBuddy(cluster);
    const copied = sentTo(cluster, 'record').length;
    expect(new Set(primary?.holdings)).toEqual(
      new Set([
        { holders: [], sessions: 100 - copied },
        { holders: ['n3.1'], sessions: copied },
      ]),
    );
    cluster.wait(200);
    expect(primary?.holdings).toEqual([{ holders: ['n3.1'], sessions: 100 }]);
    const request = nextRequest();
    const id = made[0] as SessionId;
    cluster.ask(n1, (token) => ({ kind: 'open', id, request, token }));
    cluster.commit(id, n1, request, { destroy: true });
    expect(primary?.holdings).toEqual([{ holders: ['n3.1'], sessions: 99 }]);
  });
});
