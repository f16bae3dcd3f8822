import { expect, test } from 'vitest';
import { CopyMachine } from '../copy.ts';
import { idRanked, n1, n2, n3, rank, viewOf } from '../primary/members.test-suite.ts';
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
