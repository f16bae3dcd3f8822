import { expect, test } from 'vitest';
import { CopyMachine } from '../copy.ts';
import { commitOf, idRanked, Members, n1, n2, n3, nextRequest, rank, viewOf } from '../primary/members.test-suite.ts';
import { noMark } from '../record.ts';
import { numberOf } from '../view.ts';

const before = viewOf(1, [n1, n2, n3]);
const joint = { ...viewOf(2, [n1, n2, n3]), next: [n2, n3] };
const after = { ...viewOf(3, [n1, n2, n3]), ring: [n2, n3], leaving: [n1] };
const id = idRanked(before, [n1, n2]);
const claim = { kind: 'claim', id, view: numberOf(after) } as const;

function drained(): CopyMachine {
  const machine = new CopyMachine({ self: n1, rank, idleMs: 60_000, deadlineMs: 10_000 });
  for (const view of [before, joint, after]) machine.step({ kind: 'view', view }, 0);
  return machine;
}

test('copy side of a drained member: a claim comes before its app has handed down what it committed last: it waits for that', () => {
  const machine = drained();
  // Answered at once it would say "nothing here", while the app's loop still holds an acknowledged write that only it has.
  expect(machine.step({ kind: 'message', from: n2, message: claim }, 0)).toEqual([
    { kind: 'own', message: { kind: 'demote', id, view: numberOf(after) } },
  ]);
  const demoted = { kind: 'demoted', id, view: numberOf(after), record: null, running: [] } as const;
  expect(machine.step({ kind: 'own', message: demoted }, 0)).toMatchObject([
    { kind: 'send', to: n2, message: { kind: 'claimed', id } },
  ]);
});

test('copy side of a drained member: it is not done before its app has swept to the view', () => {
  const machine = drained();
  for (let turn = 0; turn < 3; turn += 1) machine.step({ kind: 'sweep', budget: 100 }, 0);
  expect(machine.step({ kind: 'tick' }, 100)).toEqual([]);
  const swept = { kind: 'own', message: { kind: 'swept', view: numberOf(after) } } as const;
  expect(machine.step(swept, 200)).toEqual([{ kind: 'done', view: numberOf(after) }]);
});

test('copy side of a drained member: the primary has not entered the view that takes its copies away: it keeps them, and is not done', () => {
  const machine = new CopyMachine({ self: n1, rank, idleMs: 60_000, deadlineMs: 10_000 });
  const kept = idRanked(before, [n2, n1]);
  const commit = commitOf(nextRequest(), 0, { create: { createdAt: 0, expiresAt: 1e9 } });
  const mark = { view: numberOf(before), version: 1, by: 'n2' };
  const written = { id: kept, view: numberOf(before), previous: noMark, mark, buried: null, commit, keptFrom: 0 };
  machine.step({ kind: 'view', view: before }, 0);
  machine.step({ kind: 'message', from: n2, message: { kind: 'write', ...written } }, 0);
  for (const view of [joint, after]) machine.step({ kind: 'view', view }, 0);
  machine.step({ kind: 'own', message: { kind: 'swept', view: numberOf(after) } }, 0);
  // Dead by now, for all that is known here: then nobody else may have the session.
  expect(machine.step({ kind: 'sweep', budget: 100 }, 0)).toEqual([
    { kind: 'send', to: n2, message: { kind: 'offer', ids: [kept], view: numberOf(after) } },
  ]);
  expect(machine.held(kept)?.mark.version).toBe(1);
  const confirmed = { kind: 'confirmed', id: kept, view: numberOf(after) } as const;
  expect(machine.step({ kind: 'message', from: n2, message: confirmed }, 0)).toEqual([
    { kind: 'done', view: numberOf(after) },
  ]);
  expect(machine.held(kept)).toBeNull();
});

test('copies that a join makes superfluous: their primary says so once the joiner has acknowledged, and they go', () => {
  const cluster = new Members([n1, n2, n3], { idleMs: 60_000, deadlineMs: 10_000 });
  cluster.enter(viewOf(1, [n1, n2]));
  const moving = idRanked(before, [n1, n3]);
  cluster.make(moving, n1);
  cluster.cut.add(n3);
  cluster.enter(viewOf(2, [n1, n2, n3]));
  const copyOf = (node: typeof n1) => cluster.members.get(node)?.copy.held(moving)?.mark.version;
  expect([copyOf(n2), copyOf(n3)]).toEqual([1, undefined]);
  cluster.cut.delete(n3);
  cluster.step(n1, { kind: 'link', member: n3, incarnation: 1, up: true });
  expect([copyOf(n2), copyOf(n3)]).toEqual([undefined, 1]);
});
