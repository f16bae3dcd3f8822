import { describe, expect, test } from 'vitest';
import { type NodeId, nodeIdAt } from './ids.ts';
import { createRank } from './rank.ts';
import { decideRoute, findSession, planRoutes, type RoutingTable } from './route.ts';
import { formatSessionId } from './session-id.ts';
import { sipKey } from './siphash.ts';
import type { Member, View } from './view.ts';

const [n1, n2, n3, n4] = [1, 2, 3, 4].map(nodeIdAt) as [NodeId, NodeId, NodeId, NodeId];
const rank = createRank(sipKey(new Uint8Array(16).fill(9)));
const macKey = sipKey(new Uint8Array(16).fill(7));
const newId = (seed: number) =>
  formatSessionId(
    { arm: 0, placement: Uint8Array.of(seed, seed * 7, 3, 4, 5), random: new Uint8Array(16).fill(seed) },
    macKey,
  );

const tableOf = (parts: Partial<View> = {}): RoutingTable => {
  const members: Record<string, Member> = {};
  for (const id of [n1, n2, n3, n4]) members[id] = { id, incarnation: 1, weight: 1 };
  const view: View = {
    term: 1,
    number: 1,
    ring: [n1, n2, n3],
    next: null,
    leaving: [],
    members,
    copies: 2,
    keyId: 1,
    hashVersion: 1,
    ...parts,
  };
  return planRoutes(view, rank);
};
const nodeOf = (route: ReturnType<typeof decideRoute>) => (route.kind === 'member' ? route.member.id : null);
const idle = () => 0;

describe('route', () => {
  test('session: any draws and load: rank 1 of the ring', () => {
    const table = tableOf();
    for (let seed = 0; seed < 50; seed++) {
      const id = newId(seed);
      const busy = (member: Member) => (member.id === n1 ? 100 : 0);
      expect(nodeOf(decideRoute(table, id, busy, [0.9, 0.9]))).toBe(rank(id, table.view.ring, table.view.members)[0]);
    }
  });

  test('session: a joiner or a leaving member: never its home', () => {
    const table = tableOf({ ring: [n1, n2], next: [n1, n2, n4], leaving: [n3] });
    for (let seed = 0; seed < 50; seed++) {
      expect([n1, n2]).toContain(nodeOf(decideRoute(table, newId(seed), idle, [0, 0])));
    }
  });

  test('no session: two draws: the one with fewer requests in flight', () => {
    const load = new Map([
      [n1, 5],
      [n2, 1],
      [n3, 3],
    ]);
    const table = tableOf();
    const pick = (a: number, b: number) =>
      nodeOf(decideRoute(table, null, (member) => load.get(member.id) ?? 0, [a, b]));
    expect(pick(0, 0)).toBe(n2);
    expect(pick(0, 0.9)).toBe(n3);
    expect(pick(0.4, 0.9)).toBe(n2);
    expect(pick(0.999, 0.999)).toBe(n2);
  });

  test('no session: equal load: every member is picked, each about as often', () => {
    const table = tableOf();
    const picks = new Map<NodeId | null, number>();
    for (let a = 0; a < 30; a++) {
      for (let b = 0; b < 30; b++) {
        const node = nodeOf(decideRoute(table, null, idle, [a / 30, b / 30]));
        picks.set(node, (picks.get(node) ?? 0) + 1);
      }
    }
    expect([...picks.values()]).toEqual([300, 300, 300]);
  });

  test('no session: while the ring moves: only members that stay', () => {
    const table = tableOf({ next: [n1, n2] });
    for (let at = 0; at < 20; at++) expect(nodeOf(decideRoute(table, null, idle, [at / 20, 0.5]))).not.toBe(n3);
  });

  test('no session: a member just seen to fail: not drawn while there is another', () => {
    for (let at = 0; at < 20; at++)
      expect(nodeOf(decideRoute(tableOf(), null, idle, [at / 20, at / 20], n2))).not.toBe(n2);
    expect(nodeOf(decideRoute(tableOf({ ring: [n2] }), null, idle, [0, 0], n2))).toBe(n2);
  });

  test('no session: a suspect: gets none while another does not, and its own sessions stay with it', () => {
    const view = tableOf().view;
    const table = planRoutes(view, rank, ({ id, incarnation }) => id === n2 && incarnation === 1);
    for (let at = 0; at < 20; at++) expect(nodeOf(decideRoute(table, null, idle, [at / 20, 0.5]))).not.toBe(n2);
    for (let seed = 0; seed < 50; seed++) {
      expect(decideRoute(table, newId(seed), idle, [0, 0])).toEqual(decideRoute(tableOf(), newId(seed), idle, [0, 0]));
    }
  });

  test('no session: every member is suspect: any of them, as if none were', () => {
    expect(planRoutes(tableOf().view, rank, () => true).open).toEqual([n1, n2, n3]);
  });

  test('empty ring: nowhere', () => {
    expect(decideRoute(tableOf({ ring: [] }), null, idle, [0, 0]).kind).toBe('none');
    expect(decideRoute(tableOf({ ring: [] }), newId(1), idle, [0, 0]).kind).toBe('none');
  });
});

describe('finding the session', () => {
  const names = { cookieName: 'JSESSIONID', headerName: 'x-session', macKeys: [macKey] };
  const good = newId(1);
  const other = newId(2);
  test('header first, then the first cookie that verifies; a forged id is none', () => {
    expect(findSession(undefined, undefined, names)).toBeNull();
    expect(findSession(undefined, `a=1; JSESSIONID=${good}; JSESSIONID=${other}`, names)).toBe(good);
    expect(findSession(undefined, `JSESSIONID=forged; JSESSIONID=${other}`, names)).toBe(other);
    expect(findSession(other, `JSESSIONID=${good}`, names)).toBe(other);
    expect(findSession('forged', `JSESSIONID=${good}`, names)).toBe(good);
    expect(findSession(undefined, `jsessionid=${good}; XJSESSIONID=${good}`, names)).toBeNull();
    expect(
      findSession(undefined, `JSESSIONID=${good.slice(0, -1)}${good.endsWith('A') ? 'B' : 'A'}`, names),
    ).toBeNull();
  });
});
