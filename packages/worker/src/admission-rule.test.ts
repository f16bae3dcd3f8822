import { formatSessionId, type NodeId, nodeIdAt, type Rank, sipKey, type View } from '@limpet/core';
import { expect, test } from 'vitest';
import { decideAdmission } from './admission-rule.ts';

const [n1, n2] = [nodeIdAt(1), nodeIdAt(2)];
const session = formatSessionId(
  { arm: 0, placement: new Uint8Array(5), random: new Uint8Array(16) },
  sipKey(new Uint8Array(16)),
);
/** The ring's own order. */
const rank: Rank = (_id, set) => set;
const view = (change: Partial<View> = {}): View => ({
  term: 1,
  number: 4,
  ring: [n1, n2],
  next: null,
  leaving: [],
  members: { n1: { id: n1, incarnation: 2, weight: 1 }, n2: { id: n2, incarnation: 1, weight: 1 } },
  copies: 2,
  keyId: 1,
  hashVersion: 1,
  ...change,
});
const ask = (change: { node?: NodeId; incarnation?: number; view?: View | null; asked?: number; session?: null }) =>
  decideAdmission({
    node: change.node ?? n1,
    incarnation: change.incarnation ?? 2,
    view: change.view === undefined ? view() : change.view,
    asked: { term: 1, number: change.asked ?? 4 },
    session: change.session === null ? null : session,
    rank,
  });

test.each([
  ['primary', {}, { kind: 'serve' }],
  ['primary, the balancer older', { asked: 2 }, { kind: 'serve' }],
  ['the balancer newer', { asked: 5 }, { kind: 'wait' }],
  ['no view yet', { view: null }, { kind: 'wait' }],
  ['a former incarnation', { incarnation: 1 }, { kind: 'elsewhere', why: 'not-member' }],
  ['not primary', { node: n2, incarnation: 1 }, { kind: 'elsewhere', why: 'not-primary' }],
  ['no session, in the ring', { node: n2, incarnation: 1, session: null }, { kind: 'serve' }],
  [
    'no session, joining',
    { session: null, view: view({ ring: [n2], next: [n1, n2] }) },
    { kind: 'elsewhere', why: 'not-in-ring' },
  ],
  [
    'no session, leaving',
    { session: null, view: view({ ring: [n2], leaving: [n1] }) },
    { kind: 'elsewhere', why: 'not-in-ring' },
  ],
] as const)('admission rule: %s: %o', (_name, change, expected) => {
  expect(ask(change)).toEqual(expected);
});
