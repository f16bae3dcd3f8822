import { createRank, type NodeId, nodeIdAt, type SessionId, type SessionRecord, sipKey, type View } from '@limpet/core';
import { encode } from '@limpet/session';
import { expect, test } from 'vitest';
import { type Custodian, Ledger } from './ledger.ts';
import { Names, rankKey } from './names.ts';
import type { Ask } from './stage.ts';

const nodes = [nodeIdAt(1), nodeIdAt(2), nodeIdAt(3)] as const;
const [n1, n2, n3] = nodes;
const rank = createRank(sipKey(rankKey));
const view: View = {
  term: 1,
  number: 1,
  ring: nodes,
  next: null,
  leaving: [],
  members: Object.fromEntries(nodes.map((id) => [id, { id, incarnation: 1, weight: 1 }])),
  copies: 2,
  keyId: 1,
  hashVersion: 1,
};

interface Held {
  readonly node: NodeId;
  readonly version: number;
  readonly count: number;
  readonly deleted?: boolean;
}

/** A ledger over a session whose places are n1 and n2, and what is found there. One write of it was acknowledged. */
function ledgerOver(...held: readonly Held[]): Ledger {
  const names = new Names();
  const id = names.drawSession('s1', (drawn) => String(rank(drawn, view.ring, view.members)) === String(nodes));
  const custodians = held.map((one): [string, Custodian] => {
    const found = [{ record: recordOf(id, one) }];
    const engine = { allToSave: () => (one.node === n1 ? found : []) };
    const copies = { allToSave: () => (one.node === n1 ? [] : found) };
    return [`${one.node}.1`, { node: one.node, isAlive: true, engine, copies }];
  });
  const ledger = new Ledger(rank, names, new Map(custodians));
  ledger.born(id, new Map([['count', 0]]));
  const write = askOf(names, id, 'add');
  ledger.begun(write);
  ledger.over(write, { status: 200, text: 'count=1', outcome: null });
  return ledger;
}

const askOf = (names: Names, session: SessionId, kind: 'add' | 'read', name = 'r1'): Ask => ({
  name,
  request: names.newRequest(name),
  method: 'POST',
  session,
  deeds: [{ kind, attribute: 'count' }],
  isWhole: true,
});

function recordOf(id: SessionId, { version, count, deleted = false }: Held): SessionRecord {
  const mark = { version, view: { term: 1, number: 1 }, by: 'n1.1' };
  const attributes = new Map(deleted ? [] : [['count', encode('count', count)]]);
  return { id, mark, attributes, deleted, createdAt: 1, expiresAt: 2, touchedAt: 1, log: [], kept: [] };
}

const [atPrimary, atCopy] = [
  { node: n1, version: 2, count: 1 },
  { node: n2, version: 2, count: 1 },
];

test('ledger: two equal copies of what was acknowledged: it agrees', () => {
  expect(ledgerOver(atPrimary, atCopy).check('s1', view)).toMatch(
    /copy n2 equal byte by byte · count=1 \(1 acknowledged\)$/,
  );
});

test.each([
  ['a copy is behind', [atPrimary, { ...atCopy, version: 1, count: 0 }], /n1 holds .* n2/],
  [
    'the acknowledged write is lost on both',
    [
      { ...atPrimary, count: 0 },
      { ...atCopy, count: 0 },
    ],
    /count=0, acknowledged 1/,
  ],
  [
    'its effect is doubled on both',
    [
      { ...atPrimary, count: 2 },
      { ...atCopy, count: 2 },
    ],
    /count=2, acknowledged 1, possible 1/,
  ],
  ['there is no copy', [atPrimary], /held by n1, its places are n1 n2/],
  ['a third node has kept one', [atPrimary, atCopy, { ...atCopy, node: n3 }], /held by n1 n2 n3/],
  [
    'it has ended, and nobody had signed out',
    [
      { ...atPrimary, deleted: true },
      { ...atCopy, deleted: true },
    ],
    /has ended/,
  ],
] as const)('ledger: %s: it objects', (_, held, why) => {
  expect(() => ledgerOver(...held).check('s1', view)).toThrow(why);
});

test('ledger: the ring still moves, so nothing can be said: it objects', () => {
  expect(() => ledgerOver(atPrimary, atCopy).check('s1', { ...view, next: [n1, n2] })).toThrow(
    'the ring is still moving',
  );
});

test('ledger: an answer shows less than was acknowledged before its request began: it objects', () => {
  const names = new Names();
  const id = names.drawSession('s1', () => true);
  const ledger = new Ledger(rank, names, new Map());
  ledger.born(id, new Map([['count', 7]]));
  const read = askOf(names, id, 'read', 'r2');
  ledger.begun(read);
  expect(() => ledger.over(read, { status: 200, text: 'count=6', outcome: null })).toThrow('7 had been acknowledged');
});

test('ledger: an answer leaves while a member of the write set lacks what it shows: it objects', () => {
  const names = new Names();
  const ledger = ledgerOver(atPrimary, { ...atCopy, version: 1 });
  const id = names.drawSession('s1', (drawn) => String(rank(drawn, view.ring, view.members)) === String(nodes));
  expect(() => ledger.released(view, askOf(names, id, 'read', 'r2'), id, 2)).toThrow('n2 does not hold it');
});
