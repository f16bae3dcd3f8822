import { describe, expect, test } from 'vitest';
import { assign } from './assignment.ts';
import { type NodeId, nodeIdAt } from './ids.ts';
import { createRank } from './rank.ts';
import { formatSessionId } from './session-id.ts';
import { sipKey } from './siphash.ts';
import type { View } from './view.ts';

const key = sipKey(new Uint8Array(16).fill(7));
const rank = createRank(key);
const nodes = (...places: readonly number[]) => places.map(nodeIdAt);
const ids = Array.from({ length: 300 }, (_, n) =>
  formatSessionId({ arm: 0, placement: Uint8Array.of(0, 0, 0, n >>> 8, n), random: new Uint8Array(16) }, key),
);

function view(ring: readonly NodeId[], next: readonly NodeId[] | null, copies = 2): View {
  const all = [...new Set([...ring, ...(next ?? [])])];
  const members = Object.fromEntries(all.map((id) => [id, { id, incarnation: 1, weight: 1 }]));
  return { term: 1, number: 1, ring, next, leaving: [], members, copies, keyId: 1, hashVersion: 1 };
}

describe('assignment', () => {
  test('assignment: a stable view: the best `copies` of the ring, primary first', () => {
    for (const copies of [1, 2, 3]) {
      const stable = view(nodes(1, 2, 3, 4), null, copies);
      for (const id of ids) {
        const { primary, writeSet } = assign(rank, stable, id);
        expect(writeSet).toEqual(rank(id, stable.ring, stable.members).slice(0, copies));
        expect(writeSet[0]).toBe(primary);
      }
    }
  });

  test('assignment: a join under way: the write sets of both rings together, each member once', () => {
    const joining = view(nodes(1, 2, 3), nodes(1, 2, 3, 4));
    for (const id of ids) {
      const { primary, writeSet } = assign(rank, joining, id);
      const after = assign(rank, view(nodes(1, 2, 3, 4), null), id);
      expect(primary).toBe(assign(rank, view(nodes(1, 2, 3), null), id).primary);
      expect(writeSet[0]).toBe(primary);
      expect(new Set(writeSet).size).toBe(writeSet.length);
      expect(writeSet).toEqual(expect.arrayContaining([...after.writeSet]));
    }
  });

  test('assignment: the primary dies: its buddy is primary, nobody else is', () => {
    const ring = nodes(1, 2, 3, 4);
    for (const id of ids) {
      const before = assign(rank, view(ring, null), id);
      const after = assign(
        rank,
        view(
          ring.filter((node) => node !== before.primary),
          null,
        ),
        id,
      );
      expect(after.primary).toBe(before.writeSet[1]);
    }
  });

  test('assignment: fewer members than copies: all of them; an empty ring: no primary', () => {
    for (const id of ids.slice(0, 5)) {
      expect(assign(rank, view(nodes(3), null, 3), id)).toEqual({ primary: 'n3', writeSet: ['n3'] });
      expect(assign(rank, view([], null), id)).toEqual({ primary: null, writeSet: [] });
      expect(assign(rank, view([], nodes(5)), id)).toEqual({ primary: null, writeSet: ['n5'] });
    }
  });
});
