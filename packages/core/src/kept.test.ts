import { describe, expect, test } from 'vitest';
import { type KeyName, nodeIdAt, parseKeyName, type RequestId } from './ids.ts';
import { findKept, findRival, type KeptAnswers, keep, keptBytesMax, keptKeysMax } from './kept.ts';
import type { Commit, KeptAnswer } from './messages.ts';
import { type PrimaryEffect, PrimaryMachine } from './primary.ts';
import { createRank } from './rank.ts';
import { applyCommit, emptyRecord, noMark, snapshot, type WorkingRecord, workingRecord } from './record.ts';
import { formatSessionId } from './session-id.ts';
import { sipKey } from './siphash.ts';

const name = (n: number): KeyName => parseKeyName(String(n).padStart(22, '0')) as KeyName;
const requestOf = (n: number): RequestId => String(n).padStart(32, '0') as RequestId;
const entry = (n: number, change: Partial<KeptAnswer> = {}): KeptAnswer => ({
  key: name(n),
  print: 'p',
  request: requestOf(n),
  state: 'committed',
  answer: new Uint8Array([n]),
  until: 1_000,
  ...change,
});

const commitOf = (change: Partial<Commit>): Commit => ({
  request: requestOf(1),
  ordinal: 1,
  change: { set: new Map(), remove: [] },
  destroy: false,
  carries: [],
  answer: null,
  kept: [],
  create: null,
  bury: null,
  at: 0,
  ...change,
});

describe('kept answers', () => {
  test('a key: found while it lives, not afterwards', () => {
    const table: KeptAnswers = new Map();
    keep(table, [entry(1)], 0);
    expect(findKept(table, name(1), 999)).toEqual(entry(1));
    expect(findKept(table, name(1), 1_000)).toBeNull();
    expect(findKept(table, name(2), 0)).toBeNull();
    keep(table, [entry(2, { until: 5_000 })], 1_000);
    expect([...table.keys()]).toEqual([name(2)]);
  });

  test('a later commit of the same request: its answer replaces none, and none does not replace its answer', () => {
    const table: KeptAnswers = new Map();
    keep(table, [entry(1, { answer: null })], 0);
    keep(table, [entry(1)], 0);
    keep(table, [entry(1, { answer: null })], 0);
    expect(findKept(table, name(1), 0)?.answer).toEqual(new Uint8Array([1]));
  });

  test('carried by another commit: known as such until it commits itself, never the other way round', () => {
    const table: KeptAnswers = new Map();
    const carried = entry(1, { state: 'carried', answer: null });
    keep(table, [carried], 0);
    expect(findKept(table, name(1), 0)).toEqual(carried);
    keep(table, [entry(1)], 0);
    keep(table, [carried], 0);
    expect(findKept(table, name(1), 0)).toEqual(entry(1));
  });

  test('too many bytes: the oldest answers go, their keys stay', () => {
    const table: KeptAnswers = new Map();
    const quarter = new Uint8Array(keptBytesMax / 4);
    for (let n = 1; n <= 6; n += 1) keep(table, [entry(n, { answer: quarter })], 0);
    expect([...table.values()].map(({ answer }) => answer !== null)).toEqual([false, false, true, true, true, true]);
  });

  test('too many keys: the oldest is forgotten', () => {
    const table: KeptAnswers = new Map();
    for (let n = 0; n <= keptKeysMax; n += 1) keep(table, [entry(n)], 0);
    expect(table.size).toBe(keptKeysMax);
    expect(findKept(table, name(0), 0)).toBeNull();
    expect(findKept(table, name(1), 0)).not.toBeNull();
  });

  test('a rival: another request that has committed under the key; never the request itself', () => {
    const table: KeptAnswers = new Map();
    keep(table, [entry(1)], 0);
    const second = commitOf({ request: requestOf(2), kept: [entry(1, { request: requestOf(2) })] });
    expect(findRival(table, second)).toEqual(entry(1));
    expect(findRival(table, { ...second, at: 1_000 })).toBeNull();
    expect(findRival(table, commitOf({ kept: [entry(1)] }))).toBeNull();
  });
});

const id = formatSessionId(
  { arm: 0, placement: new Uint8Array(5), random: new Uint8Array(16) },
  sipKey(new Uint8Array(16)),
);
const nextId = formatSessionId(
  { arm: 0, placement: new Uint8Array(5), random: new Uint8Array(16).fill(1) },
  sipKey(new Uint8Array(16)),
);
const markOf = (version: number) => ({ ...noMark, version });

describe('kept answers in a record', () => {
  const recordWith = (...entries: KeptAnswer[]): WorkingRecord => {
    const record = emptyRecord(id);
    applyCommit(record, markOf(1), commitOf({ create: { createdAt: 0, expiresAt: 9_000 }, kept: entries }), 0);
    return record;
  };

  test('sent whole to a member that lacks it: the table goes along', () => {
    expect(workingRecord(snapshot(recordWith(entry(1), entry(2)))).kept).toEqual(recordWith(entry(1), entry(2)).kept);
  });

  test('destroyed: what was kept before is gone, the entry of the destroying request is there', () => {
    const record = recordWith(entry(1));
    applyCommit(record, markOf(2), commitOf({ request: requestOf(2), destroy: true, kept: [entry(2)] }), 0);
    expect([...record.kept.keys()]).toEqual([name(2)]);
  });
});

describe('kept answers at the primary', () => {
  const self = nodeIdAt(1);

  function machine() {
    const primary = new PrimaryMachine({
      self,
      incarnation: 1,
      rank: createRank(sipKey(new Uint8Array(16))),
      idleMs: 1e9,
      deadlineMs: 1_000,
    });
    primary.step(
      {
        kind: 'view',
        view: {
          term: 1,
          number: 1,
          ring: [self],
          next: null,
          leaving: [],
          members: { n1: { id: self, incarnation: 1, weight: 1 } },
          copies: 1,
          keyId: 1,
          hashVersion: 1,
        },
      },
      0,
    );
    let token = 0;
    const settled = (effects: readonly PrimaryEffect[]) =>
      effects.flatMap((effect) => (effect.kind === 'settled' ? [effect.settled] : []))[0];
    const create = { createdAt: 0, expiresAt: 9_000 };
    return {
      primary,
      begin(at: typeof id, commit: Commit) {
        token += 1;
        primary.step({ kind: 'create', id: at, request: commit.request, token }, 0);
        return this.commit(at, { ...commit, create });
      },
      commit(at: typeof id, commit: Commit) {
        token += 1;
        return settled(primary.step({ kind: 'commit', id: at, commit, token }, 0));
      },
      keysOf(at: typeof id) {
        for (const record of primary.records()) if (record.id === at) return [...record.kept.keys()];
        return null;
      },
    };
  }

  test('another request commits under the same key: nothing of it takes effect, it gets the first answer', () => {
    const at = machine();
    at.begin(id, commitOf({ kept: [entry(1)] }));
    const second = commitOf({
      request: requestOf(2),
      change: { set: new Map([['n', new Uint8Array([9])]]), remove: [] },
      kept: [entry(1, { request: requestOf(2), answer: new Uint8Array([9]) })],
    });
    expect(at.commit(id, second)).toEqual({ kind: 'duplicate', answer: entry(1).answer });
    for (const record of at.primary.records()) expect([...record.attributes]).toEqual([]);
  });

  test('a new id buries the old one: what was answered under the old id is answered under the new one', () => {
    const at = machine();
    at.begin(id, commitOf({ kept: [entry(1)] }));
    at.begin(nextId, commitOf({ request: requestOf(2), bury: id, kept: [entry(2)] }));
    expect(at.keysOf(nextId)).toEqual([name(1), name(2)]);
  });

  test('two requests with one key bury the same id: one of them does', () => {
    const at = machine();
    at.begin(id, commitOf({}));
    at.begin(nextId, commitOf({ request: requestOf(2), bury: id, kept: [entry(2)] }));
    const third = formatSessionId(
      { arm: 0, placement: new Uint8Array(5), random: new Uint8Array(16).fill(3) },
      sipKey(new Uint8Array(16)),
    );
    const again = commitOf({ request: requestOf(3), bury: id, kept: [entry(2, { request: requestOf(3) })] });
    expect(at.begin(third, again)).toEqual({ kind: 'duplicate', answer: entry(2).answer });
  });
});
