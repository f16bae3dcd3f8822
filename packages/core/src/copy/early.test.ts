import { expect, test } from 'vitest';
import { bounds } from '../bounds.ts';
import { CopyMachine } from '../copy.ts';
import { commitOf, idRanked, n1, n2, n3, nextRequest, rank, viewOf } from '../primary/members.test-suite.ts';
import { PrimaryMachine } from '../primary.ts';
import { emptyRecord, noMark, snapshot } from '../record.ts';
import { numberOf } from '../view.ts';

const before = viewOf(1, [n1, n2, n3]);
const after = { ...viewOf(2, [n1, n2, n3]), ring: [n2, n3], leaving: [n1] };
const tight = { self: n1, rank, idleMs: 60_000, deadlineMs: 10_000, bounds: { ...bounds, earlyMessagesMax: 1 } };
const id = idRanked(before, [n1, n2]);
const claim = { kind: 'claim', id, view: numberOf(after) } as const;

test('copy side: too much for a view that has not come: the link it comes by is cut; what the own app loop says is kept', () => {
  const machine = new CopyMachine(tight);
  machine.step({ kind: 'view', view: before }, 0);
  const mark = { version: 3, view: numberOf(before), by: 'n1.1' };
  const record = { ...snapshot(emptyRecord(id)), mark };
  machine.step({ kind: 'own', message: { kind: 'demoted', id, view: numberOf(after), record, running: [] } }, 0);
  machine.step({ kind: 'own', message: { kind: 'swept', view: numberOf(after) } }, 0);
  expect(machine.step({ kind: 'message', from: n2, message: claim }, 0)).toEqual([]);
  expect(machine.step({ kind: 'message', from: n2, message: claim }, 0)).toEqual([{ kind: 'cut', member: n2 }]);
  expect(machine.kept.earlyMessagesMax).toBe(0);
  machine.step({ kind: 'view', view: after }, 0);
  expect(machine.held(id)?.mark.version).toBe(3);
  const confirmed = { kind: 'confirmed', id, view: numberOf(after) } as const;
  for (const from of [n2, n3]) machine.step({ kind: 'message', from, message: confirmed }, 0);
  expect(machine.step({ kind: 'sweep', budget: 10 }, 0)).toEqual([{ kind: 'done', view: numberOf(after) }]);
});

test('app loop: too much for a view that has not come: offers are dropped, what its keeper asks for is not', () => {
  const machine = new PrimaryMachine({ ...tight, incarnation: 1 });
  machine.step({ kind: 'view', view: before }, 0);
  const offer = { kind: 'offer', ids: [id], view: numberOf(after) } as const;
  for (const from of [n2, n3]) machine.step({ kind: 'message', from, message: offer }, 0);
  machine.step({ kind: 'own', message: { kind: 'demote', id, view: numberOf(after) } }, 0);
  expect(machine.kept.earlyMessagesMax).toBe(1);
  expect(machine.step({ kind: 'view', view: after }, 0)).toContainEqual({
    kind: 'own',
    message: { kind: 'demoted', id, view: numberOf(after), record: null, running: [] },
  });
});

test('app loop: changes from a former primary come before their view: each is made, or the next would stand for all', () => {
  const machine = new PrimaryMachine({ ...tight, self: n2, incarnation: 1 });
  machine.step({ kind: 'view', view: before }, 0);
  const moving = idRanked(after, [n2]);
  const request = nextRequest();
  for (const ordinal of [1, 2, 3]) {
    const create = ordinal === 1 ? { createdAt: 0, expiresAt: 1e9 } : null;
    const change = { set: new Map([[`n${ordinal}`, new Uint8Array([ordinal])]]), remove: [] };
    const commit = commitOf(request, 0, { ordinal, create, change });
    const where = { id: moving, view: numberOf(after), base: noMark, buriedBase: null };
    const message = { kind: 'forward', ...where, commit, sequence: ordinal } as const;
    machine.step({ kind: 'own', message: { kind: 'relayed', from: n1, message } }, 0);
  }
  machine.step({ kind: 'view', view: after }, 0);
  expect([...(machine.held(moving)?.attributes.keys() ?? [])]).toEqual(['n1', 'n2', 'n3']);
});
