import { expect, test } from 'vitest';
import { emptyHistory, type Finding, type Happening, stepHistory } from './history.ts';

/** Findings of a recorded history. */
function check(happenings: readonly Happening[]): readonly Finding[] {
  let history = emptyHistory;
  return happenings.flatMap((happening) => {
    const step = stepHistory(history, happening);
    history = step.history;
    return step.findings;
  });
}

const add = (counter: number, node = 'n1', marker: string | null = 'm'): Happening => ({
  kind: 'answered',
  effect: 'add',
  marker,
  counter,
  node,
});
const read = (counter: number, node = 'n1', marker: string | null = 'm'): Happening => ({
  kind: 'answered',
  effect: 'read',
  marker,
  counter,
  node,
});
const unknown: Happening = { kind: 'uncertain', effect: 'add' };
const unknownRead: Happening = { kind: 'uncertain', effect: 'read' };
const ran: Happening = { kind: 'ran', effect: 'add' };
const refused: Happening = { kind: 'refused' };

test('history: every addition answered in turn: nothing found', () => {
  expect(check([add(1), add(2), read(2), add(3), read(3)])).toEqual([]);
});

test('history: another node answers: moved, not lost', () => {
  expect(check([add(1, 'n2'), add(2, 'n4'), add(3, 'n4'), read(3, 'n2')])).toEqual([
    { kind: 'moved', from: 'n2', to: 'n4' },
    { kind: 'moved', from: 'n4', to: 'n2' },
  ]);
});

test('history: an acknowledged addition is gone: lost, told once', () => {
  expect(check([add(1), add(2), add(2), add(3)])).toEqual([{ kind: 'lost', adds: 1, session: false }]);
  expect(check([add(1), add(2), add(3), read(1), read(1)])).toEqual([{ kind: 'lost', adds: 2, session: false }]);
});

test('history: the session came back empty: lost with all its additions', () => {
  expect(check([add(1), add(2), add(1, 'n2', 'another')])).toEqual([
    { kind: 'moved', from: 'n1', to: 'n2' },
    { kind: 'lost', adds: 2, session: true },
  ]);
  expect(check([add(1), read(0, 'n1', null), add(1, 'n1', 'new')])).toEqual([{ kind: 'lost', adds: 1, session: true }]);
});

test('history: one addition too many: doubled, told once', () => {
  expect(check([add(1), add(3), add(4)])).toEqual([{ kind: 'doubled', adds: 1 }]);
  expect(check([add(1), read(2), read(2)])).toEqual([{ kind: 'doubled', adds: 1 }]);
  expect(check([add(2)])).toEqual([{ kind: 'doubled', adds: 1 }]);
});

test('history: an addition with unknown outcome: it may have run or not', () => {
  expect(check([add(1), unknown, add(2)])).toEqual([]);
  expect(check([add(1), unknown, add(3)])).toEqual([]);
  expect(check([add(1), unknown, read(1)])).toEqual([]);
});

test('history: an addition with unknown outcome runs after later ones: no false alarm', () => {
  expect(check([add(1), unknown, add(2), add(4), read(4)])).toEqual([]);
});

test('history: an addition with unknown outcome: widens by one, not more', () => {
  expect(check([add(1), unknown, add(4)])).toEqual([{ kind: 'doubled', adds: 1 }]);
  expect(check([add(1), unknown, add(1)])).toEqual([{ kind: 'lost', adds: 1, session: false }]);
});

test('history: an unknown addition that was seen: must stay', () => {
  expect(check([add(1), unknown, read(2), read(1)])).toEqual([{ kind: 'lost', adds: 1, session: false }]);
});

test('history: a look with unknown outcome or a refusal: widens nothing', () => {
  expect(check([add(1), unknownRead, refused, add(3)])).toEqual([{ kind: 'doubled', adds: 1 }]);
});

test('history: an unknown outcome before the first answer: the session may be the one that answers later, or not', () => {
  expect(check([unknown, add(1), read(1)])).toEqual([]);
  expect(check([unknown, add(2), read(2)])).toEqual([]);
  expect(check([unknown, add(3)])).toEqual([{ kind: 'doubled', adds: 1 }]);
});

test('history: an addition that ran without an answer: it must be there', () => {
  expect(check([add(1), ran, read(2), add(3)])).toEqual([]);
  expect(check([add(1), ran, read(1)])).toEqual([{ kind: 'lost', adds: 1, session: false }]);
});
