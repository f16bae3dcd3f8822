import { expect, test } from 'vitest';
import { CopyMachine } from '../copy.ts';
import type { RequestId } from '../ids.ts';
import type { SessionRecord } from '../messages.ts';
import { idRanked, n1, n2, n3, rank, viewOf } from '../primary/members.test-suite.ts';
import { numberOf } from '../view.ts';

test('copy side: a former owner whose request still runs, its record confirmed elsewhere: tells of the request, not of a record grown old', () => {
  const before = viewOf(1, [n1, n2, n3]);
  const after = { ...viewOf(2, [n1, n2, n3]), ring: [n2, n3], leaving: [n1] };
  const id = idRanked(before, [n1, n2]);
  const request = 'a'.repeat(32) as RequestId;
  const machine = new CopyMachine({ self: n1, rank, idleMs: 60_000, deadlineMs: 10_000 });
  for (const view of [before, after]) machine.step({ kind: 'view', view }, 0);
  const mark = { version: 3, view: numberOf(before), by: 'n1.1' };
  const times = { createdAt: 0, expiresAt: 1e12, touchedAt: 0 };
  const record: SessionRecord = { id, mark, attributes: new Map(), deleted: false, ...times, log: [], kept: [] };
  machine.step({ kind: 'own', message: { kind: 'demoted', id, view: numberOf(after), record, running: [request] } }, 0);
  machine.step({ kind: 'own', message: { kind: 'swept', view: numberOf(after) } }, 0);
  const ask = { kind: 'message', from: n2, message: { kind: 'claim', id, view: numberOf(after) } } as const;
  expect(machine.step(ask, 1)).toMatchObject([{ message: { kind: 'claimed', record: { mark }, running: [request] } }]);
  machine.step({ kind: 'message', from: n2, message: { kind: 'confirmed', id, view: numberOf(after) } }, 2);
  expect(machine.step(ask, 3)).toMatchObject([{ message: { kind: 'claimed', record: null, running: [request] } }]);
  expect(machine.unconfirmed).toBe(0);
});
