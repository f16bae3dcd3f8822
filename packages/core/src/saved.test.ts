import { describe, expect, test } from 'vitest';
import type { NodeId, SessionId } from './ids.ts';
import type { SessionRecord } from './messages.ts';
import { idRanked, Members, n1, n2, n3, rank, viewOf } from './primary/members.test-suite.ts';
import { Restoration, type SavedSession, whyNotSaved } from './saved.ts';
import type { View } from './view.ts';

const lifetimes = { idleMs: 60_000, deadlineMs: 10_000 };
const first = viewOf(1, [n1, n2, n3]);
const parse = (text: string) => text as SessionId;

const recordOf = (id: SessionId, given: Partial<SessionRecord> = {}): SessionRecord => ({
  id,
  mark: { version: 3, view: { term: 1, number: 2 }, by: 'n1.1' },
  attributes: new Map([['n', new Uint8Array([1])]]),
  deleted: false,
  createdAt: 100,
  expiresAt: 1e9,
  touchedAt: 1_000,
  log: [],
  kept: [],
  ...given,
});
const savedOf = (id: SessionId, given: Partial<SessionRecord> = {}, number = 2): SavedSession => ({
  custody: { term: 1, number },
  record: recordOf(id, given),
});

const restorationAt = (self: NodeId, view = first, known: (text: string) => SessionId | null = parse) =>
  new Restoration({ self, rank, view, parse: known });

function restored(taken: readonly SavedSession[], nowMs = 2_000) {
  const restoration = restorationAt(n1);
  for (const session of taken) restoration.take(session);
  return restoration.finish(nowMs, lifetimes);
}

describe('saved sessions', () => {
  const id = idRanked(first, [n1, n2]);

  test('one session in several files: the newest custody, then the highest version, is loaded', () => {
    const newer = savedOf(id, { mark: { version: 2, view: { term: 1, number: 3 }, by: 'n2.1' } }, 3);
    for (const files of [
      [savedOf(id), newer],
      [newer, savedOf(id)],
    ]) {
      expect(restored(files).taken.map(({ record }) => record.mark.version)).toEqual([2]);
    }
    const higher = savedOf(id, { mark: { version: 4, view: { term: 1, number: 2 }, by: 'n1.1' } });
    expect(restored([higher, savedOf(id)]).taken[0]?.record.mark.version).toBe(4);
  });

  test('destroyed, and a copy of the same version that is not: the tombstone is loaded, the session does not return', () => {
    const gone = savedOf(id, { deleted: true, attributes: new Map() });
    for (const files of [
      [savedOf(id), gone],
      [gone, savedOf(id)],
    ]) {
      expect(restored(files)).toMatchObject({ sessions: 0, tombstones: 1, taken: [{ record: { deleted: true } }] });
    }
  });

  test('used after the last write: the later use counts, from whichever file it comes', () => {
    const used = savedOf(id, { touchedAt: 9_000 }, 1);
    expect(restored([used, savedOf(id)], 63_000).taken[0]?.record.touchedAt).toBe(9_000);
    expect(restored([savedOf(id), used], 63_000)).toMatchObject({ sessions: 1, expired: 0 });
  });

  test('down for longer than a limit: the session is dropped and counted', () => {
    expect(restored([savedOf(id)], 1_000 + 60_000)).toMatchObject({ sessions: 1, expired: 0 });
    expect(restored([savedOf(id)], 1_000 + 60_000 + 3_001)).toMatchObject({ sessions: 0, expired: 1, taken: [] });
    expect(restored([savedOf(id, { expiresAt: 1_999 })])).toMatchObject({ sessions: 0, expired: 1, taken: [] });
  });

  test('every member: takes what it will hold, and each session is counted once', () => {
    const ids = [id, idRanked(first, [n2, n1]), idRanked(first, [n3, n2])];
    const taken = [n1, n2, n3].map((self) => {
      const restoration = restorationAt(self);
      for (const one of ids) if (restoration.wants(one)) restoration.take(savedOf(one));
      return restoration.finish(2_000, lifetimes);
    });
    expect(taken.map(({ taken, sessions }) => [taken.length, sessions])).toEqual([
      [2, 1],
      [3, 1],
      [1, 1],
    ]);
  });

  test('the key that signed it is gone: not loaded, counted once in the whole cluster', () => {
    const counts = [n1, n2, n3].map((self) => {
      const restoration = restorationAt(self, first, () => null);
      expect([restoration.wants(id), restoration.wants(id)]).toEqual([false, false]);
      return restoration.finish(2_000, lifetimes).unverified;
    });
    expect(counts).toEqual([1, 0, 0]);
  });

  test('a record without what later versions added: it is loaded as if it had been used when it was made', () => {
    const { touchedAt: _, log: _log, kept: _kept, ...old } = recordOf(id, { createdAt: 1_500 });
    const value = { custody: { term: 1, number: 2 }, record: old };
    expect(whyNotSaved(value, id)).toBe(null);
    expect(restored([value as unknown as SavedSession]).taken[0]?.record).toMatchObject({
      touchedAt: 1_500,
      log: [],
      kept: [],
    });
  });

  test.each([
    ['nothing', null],
    ['no custody', { record: recordOf(id) }],
    ['another session', { ...savedOf(idRanked(first, [n2])) }],
    ['no mark', savedOf(id, { mark: null as never })],
    ['a date that is none', savedOf(id, { expiresAt: Number.NaN })],
    ['attributes that are no map', savedOf(id, { attributes: {} as never })],
    ['an attribute that is no bytes', savedOf(id, { attributes: new Map([['n', 'text' as never]]) })],
    ['a log that is none', savedOf(id, { log: 'log' as never })],
  ])('%s: refused with a reason', (_, value) => {
    expect(whyNotSaved(value, id)).toMatch(/^it/);
  });
});

/** Everything that both sides of all members would write to their files. */
function filesOf(cluster: Members): readonly SavedSession[] {
  return [...cluster.members.values()].flatMap(({ primary, copy }) => [...primary.allToSave(), ...copy.allToSave()]);
}

function startWith(files: readonly SavedSession[], view: View, nowMs: number): Members {
  const cluster = new Members(view.ring, lifetimes);
  cluster.nowMs = nowMs;
  for (const self of view.ring) {
    const restoration = restorationAt(self, view);
    for (const session of files) if (restoration.wants(session.record.id)) restoration.take(session);
    for (const session of restoration.finish(nowMs, lifetimes).taken) {
      cluster.copyStep(self, { kind: 'restore', session });
    }
  }
  cluster.enter(view);
  return cluster;
}

describe('full stop and start', () => {
  const before = new Members([n1, n2, n3], lifetimes);
  before.enter(first);
  const ids = [0, 1, 2, 3].map((at) => idRanked(first, [n1], at));
  const [ended] = ids;
  for (const id of ids) before.make(id, n1);
  if (ended !== undefined) before.commit(ended, n1, before.make(idRanked(first, [n1], 9), n1), { destroy: true });
  const files = filesOf(before);

  test.each([
    ['as many nodes', [n1, n2, n3], 2],
    ['fewer nodes', [n2, n3], 2],
    ['one node', [n3], 2],
    ['one copy', [n1, n2, n3], 1],
    ['three copies', [n1, n2, n3], 3],
  ])(
    '%s: every session is where the new view says, with all its copies; a destroyed one stays destroyed',
    (_, ring, copies) => {
      const view: View = { ...viewOf(1, ring, copies), term: 2 };
      const after = startWith(files, view, 500);
      for (const id of ids) {
        const home = rank(id, ring, view.members)[0] ?? n1;
        const record = after.look(id, home);
        expect(record?.deleted).toBe(id === ended);
        expect(record?.attributes.get('n')).toEqual(id === ended ? undefined : new Uint8Array([1]));
      }
      after.wait(10_000);
      const held = [...after.members.values()].flatMap(({ copy }) => [...copy.allToSave()]).length;
      expect(held).toBe((ids.length + 1) * (Math.min(copies, ring.length) - 1));
      expect([...after.members.values()].map(({ copy }) => copy.unconfirmed)).toEqual(ring.map(() => 0));
    },
  );

  test('the files of one node are lost: nothing is, because its copies are in the others', () => {
    const survivors = filesOf(before).filter(({ record }) => !ids.includes(record.id));
    const others = [n2, n3].flatMap((node) => [...(before.members.get(node)?.copy.allToSave() ?? [])]);
    const after = startWith([...survivors, ...others], { ...first, term: 2 }, 500);
    for (const id of ids) expect(after.look(id, n1)?.deleted).toBe(id === ended);
  });

  test('restored once a view is known: ignored, the primaries have served since', () => {
    const cluster = new Members([n1, n2, n3], lifetimes);
    cluster.enter(first);
    for (const session of files) cluster.copyStep(n1, { kind: 'restore', session });
    for (const id of ids) expect(cluster.look(id, n1)).toBe(null);
  });
});
