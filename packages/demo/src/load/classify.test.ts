import { expect, test } from 'vitest';
import { classifyAnswer } from './classify.ts';

const body = JSON.stringify({ marker: 'm', counter: 3, node: 'n1' });

test('classify: a counter in a 2xx: answered', () => {
  expect(classifyAnswer('add', { status: 200, body, outcome: null })).toEqual({
    kind: 'answered',
    effect: 'add',
    marker: 'm',
    counter: 3,
    node: 'n1',
  });
});

test('classify: executed: it ran', () => {
  expect(classifyAnswer('add', { status: 502, body: '', outcome: 'executed' })).toEqual({ kind: 'ran', effect: 'add' });
});

test('classify: unknown or gone: uncertain', () => {
  for (const [status, outcome] of [
    [502, 'unknown'],
    [504, 'unknown'],
    [409, 'gone'],
  ] as const)
    expect(classifyAnswer('add', { status, body: '', outcome })).toEqual({ kind: 'uncertain', effect: 'add' });
});

test('classify: not executed, or a fault of the request: nothing ran', () => {
  expect(classifyAnswer('add', { status: 503, body: '', outcome: 'not-executed' })).toEqual({ kind: 'refused' });
  expect(classifyAnswer('add', { status: 403, body: '', outcome: null })).toEqual({ kind: 'refused' });
});

test('classify: a failing app, or a 2xx about something else: uncertain', () => {
  expect(classifyAnswer('add', { status: 500, body: '', outcome: null }).kind).toBe('uncertain');
  for (const other of ['', 'null', '{"counter":"3"}', '<p>'])
    expect(classifyAnswer('add', { status: 200, body: other, outcome: null }).kind).toBe('uncertain');
});
