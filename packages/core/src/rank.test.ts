import { describe, expect, test } from 'vitest';
import { type NodeId, nodeIdAt } from './ids.ts';
import { createPlacementRank, createRank } from './rank.ts';
import { formatSessionId } from './session-id.ts';
import { sipKey } from './siphash.ts';
import type { Member } from './view.ts';

const key = sipKey(Uint8Array.from({ length: 16 }, (_, at) => 16 - at));
const rank = createPlacementRank(key);

const nodes = (count: number) => Array.from({ length: count }, (_, at) => nodeIdAt(at + 1));
const membersOf = (ids: readonly NodeId[], weightOf = (_: NodeId) => 1, incarnation = 1): Record<string, Member> =>
  Object.fromEntries(ids.map((id) => [id, { id, incarnation, weight: weightOf(id) }]));
const placement = (n: number) => Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n, 7);
const best = (ids: readonly NodeId[]): NodeId => ids[0] ?? nodeIdAt(9999);

/** Pearson's statistic of counts against expected counts. */
const chiSquare = (counts: readonly number[], expected: readonly number[]) =>
  counts.reduce((sum, count, at) => sum + (count - (expected[at] ?? 0)) ** 2 / (expected[at] ?? 1), 0);

/** The value that chi square with `freedom` degrees passes once in 10⁵ (Wilson and Hilferty). The input is fixed: no flakes. */
const chiSquareMax = (freedom: number) => freedom * (1 - 2 / (9 * freedom) + 4.265 * Math.sqrt(2 / (9 * freedom))) ** 3;

describe('rank', () => {
  test('rank: known key and placements: the same order for ever', () => {
    const ids = nodes(6);
    const members = membersOf(ids);
    const weighted = membersOf(ids, (id) => (id === 'n3' ? 4 : 1));
    expect([0, 1, 2, 3, 0xffffffff].map((n) => rank(placement(n), ids, members).join(' '))).toEqual([
      'n6 n4 n5 n2 n3 n1',
      'n6 n3 n2 n1 n5 n4',
      'n5 n2 n4 n3 n6 n1',
      'n3 n6 n5 n1 n2 n4',
      'n4 n1 n3 n2 n5 n6',
    ]);
    expect([0, 1, 2, 3, 0xffffffff].map((n) => rank(placement(n), ids, weighted).join(' '))).toEqual([
      'n6 n4 n5 n3 n2 n1',
      'n3 n6 n2 n1 n5 n4',
      'n5 n2 n4 n3 n6 n1',
      'n3 n6 n5 n1 n2 n4',
      'n3 n4 n1 n2 n5 n6',
    ]);
  });

  test('rank: an id: ranked by its placement bytes alone', () => {
    const ids = nodes(5);
    const members = membersOf(ids);
    const byId = createRank(key);
    for (let n = 0; n < 50; n++) {
      const id = formatSessionId({ arm: n % 16, placement: placement(n), random: new Uint8Array(16).fill(n) }, key);
      expect(byId(id, ids, members)).toEqual(rank(placement(n), ids, members));
    }
  });

  test('rank: another key: another order', () => {
    const ids = nodes(8);
    const members = membersOf(ids);
    const other = createPlacementRank(sipKey(new Uint8Array(16)));
    const same = Array.from({ length: 800 }, (_, n) => n).filter(
      (n) => best(other(placement(n), ids, members)) === best(rank(placement(n), ids, members)),
    );
    expect(same.length).toBeGreaterThan(50);
    expect(same.length).toBeLessThan(150);
  });

  test('rank: order of the set, incarnation, size of the members table: no influence', () => {
    const ids = nodes(7);
    const members = membersOf(ids);
    const reborn = membersOf(nodes(20), undefined, 5);
    for (let n = 0; n < 200; n++) {
      const expected = rank(placement(n), ids, members);
      expect(rank(placement(n), ids.toReversed(), members)).toEqual(expected);
      expect(rank(placement(n), ids, reborn)).toEqual(expected);
    }
  });

  test('rank: only the top asked for: the head of the whole order, at any size', () => {
    for (const count of [1, 2, 5, 64, 65, 200]) {
      const ids = nodes(count);
      for (const members of [membersOf(ids), membersOf(ids, (id) => id.length)]) {
        for (let n = 0; n < 40; n++) {
          const whole = rank(placement(n), ids, members);
          expect(new Set(whole)).toEqual(new Set(ids));
          for (const top of [0, 1, 2, 3, 64, 300]) {
            expect(rank(placement(n), ids, members, top)).toEqual(whole.slice(0, top));
          }
        }
      }
    }
  });

  test('rank: equal weights of 1 and of 3, and weights that are nearly equal: the same order', () => {
    const ids = nodes(12);
    const ones = membersOf(ids);
    const threes = membersOf(ids, () => 3);
    // One heavier member, far behind in the list, forces the general path for the eleven others.
    const mixed = membersOf(ids, (id) => (id === 'n12' ? 2 : 1));
    const rest = nodes(11);
    for (let n = 0; n < 2000; n++) {
      expect(rank(placement(n), ids, threes)).toEqual(rank(placement(n), ids, ones));
      const general = rank(placement(n), ids, mixed).filter((id) => id !== 'n12');
      expect(general).toEqual(rank(placement(n), rest, ones));
    }
  });

  test('rank: an array changed in place: ranked anew', () => {
    const ids = nodes(3);
    const members = membersOf(nodes(4));
    rank(placement(1), ids, members);
    ids.push(nodeIdAt(4));
    expect(rank(placement(1), ids, members)).toEqual(rank(placement(1), nodes(4), members));
    expect(rank(placement(1), [], members)).toEqual([]);
    expect(() => rank(placement(1), nodes(5), members)).toThrow('n5');
  });

  test('rank: rank 1, and rank 2 given rank 1: every member alike', () => {
    for (const count of [2, 3, 4, 7, 16]) {
      const ids = nodes(count);
      const members = membersOf(ids);
      const samples = 40_000;
      const first = new Map(ids.map((id) => [id, 0]));
      const pairs = new Map<string, number>();
      for (let n = 0; n < samples; n++) {
        const [one, two] = rank(placement(n), ids, members, 2);
        first.set(one ?? best([]), (first.get(one ?? best([])) ?? 0) + 1);
        pairs.set(`${one} ${two}`, (pairs.get(`${one} ${two}`) ?? 0) + 1);
      }
      expect(first.size).toBe(count);
      const perMember = ids.map(() => samples / count);
      expect(chiSquare([...first.values()], perMember)).toBeLessThan(chiSquareMax(count - 1));
      expect(pairs.size).toBe(count * (count - 1));
      for (const one of ids) {
        const seconds = ids.filter((id) => id !== one).map((two) => pairs.get(`${one} ${two}`) ?? 0);
        if (count === 2) continue;
        const expected = seconds.map(() => (first.get(one) ?? 0) / (count - 1));
        expect(chiSquare(seconds, expected), `after ${one} of ${count}`).toBeLessThan(chiSquareMax(count - 2));
      }
    }
  });

  test('rank: a member removed: only its ids move, each to its rank 2, spread over all survivors', () => {
    const ids = nodes(5);
    const members = membersOf(ids);
    const dead = nodeIdAt(2);
    const survivors = ids.filter((id) => id !== dead);
    const taken = new Map(survivors.map((id) => [id, 0]));
    let lost = 0;
    for (let n = 0; n < 20_000; n++) {
      const before = rank(placement(n), ids, members);
      const after = rank(placement(n), survivors, members);
      expect(after).toEqual(before.filter((id) => id !== dead));
      if (before[0] !== dead) continue;
      lost++;
      taken.set(best(after), (taken.get(best(after)) ?? 0) + 1);
    }
    for (const [id, count] of taken) {
      expect(count / lost, `share of ${id}`).toBeGreaterThan(0.22);
      expect(count / lost, `share of ${id}`).toBeLessThan(0.28);
    }
  });

  test('rank: a member joins: at most 1/n of the ids move, all of them to it', () => {
    const [before, after] = [nodes(7), nodes(8)];
    const members = membersOf(after);
    const samples = 20_000;
    let moved = 0;
    for (let n = 0; n < samples; n++) {
      const now = best(rank(placement(n), after, members, 1));
      if (now === best(rank(placement(n), before, members, 1))) continue;
      expect(now).toBe('n8');
      moved++;
    }
    expect(moved / samples).toBeLessThan(1 / 8 + 0.01);
    expect(moved / samples).toBeGreaterThan(1 / 8 - 0.01);
  });

  test('rank: weights 1, 2, 3 and 0: shares in proportion, nothing for 0', () => {
    const ids = nodes(4);
    const members = membersOf(ids, (id) => Number(id.slice(1)) % 4);
    const counts = new Map(ids.map((id) => [id, 0]));
    const samples = 60_000;
    for (let n = 0; n < samples; n++) {
      const order = rank(placement(n), ids, members);
      expect(order[3]).toBe('n4');
      counts.set(best(order), (counts.get(best(order)) ?? 0) + 1);
    }
    const expected = [1, 2, 3].map((weight) => (samples * weight) / 6);
    expect(chiSquare([...counts.values()].slice(0, 3), expected)).toBeLessThan(chiSquareMax(2));
  });

  test('rank: placements that differ in one bit: as unlike as any two', () => {
    const ids = nodes(4);
    const members = membersOf(ids);
    for (let bit = 0; bit < 40; bit++) {
      let same = 0;
      for (let n = 0; n < 2000; n++) {
        const one = Uint8Array.of(n >>> 8, n, n * 31, n * 57, n * 91);
        const two = Uint8Array.from(one, (byte, at) => (at === bit >>> 3 ? byte ^ (1 << (bit & 7)) : byte));
        if (best(rank(one, ids, members, 1)) === best(rank(two, ids, members, 1))) same++;
      }
      expect(Math.abs(same / 2000 - 0.25), `bit ${bit}`).toBeLessThan(0.06);
    }
  });
});
