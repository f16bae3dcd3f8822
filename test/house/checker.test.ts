import { expect, test } from 'vitest';
import { CounterCheck } from '../support/checker.ts';
import type { Answer } from '../support/client.ts';

const answer = (status: number, count: number | null, outcome: string | null = null): Answer => ({
  status,
  outcome,
  headers: {},
  body: '',
  json: <T>() => ({ count }) as T,
});

type Step = readonly ['wrote' | 'read', Answer | null];
const cases: readonly (readonly [string, readonly Step[], object])[] = [
  [
    'all is well',
    [
      ['wrote', answer(200, 1)],
      ['wrote', answer(200, 2)],
      ['read', answer(200, 2)],
    ],
    { lost: 0, doubled: 0, unknown: 0, failedReads: 0 },
  ],
  [
    'a write is gone',
    [
      ['wrote', answer(200, 1)],
      ['wrote', answer(200, 2)],
      ['read', answer(200, 1)],
      ['read', answer(200, 1)],
    ],
    { lost: 1, doubled: 0 },
  ],
  [
    'the session is gone',
    [
      ['wrote', answer(200, 1)],
      ['wrote', answer(200, 2)],
      ['wrote', answer(200, 1)],
    ],
    { lost: 2, doubled: 0 },
  ],
  [
    'a write counts twice',
    [
      ['wrote', answer(200, 1)],
      ['wrote', answer(200, 3)],
      ['read', answer(200, 3)],
    ],
    { lost: 0, doubled: 1 },
  ],
  [
    'unknown, and it was carried out',
    [
      ['wrote', answer(502, null, 'unknown')],
      ['read', answer(200, 1)],
      ['wrote', answer(200, 2)],
    ],
    { lost: 0, doubled: 0, unknown: 1 },
  ],
  [
    'unknown, and it was not',
    [
      ['wrote', answer(502, null, 'unknown')],
      ['read', answer(200, 0)],
      ['wrote', answer(200, 1)],
    ],
    { lost: 0, doubled: 0, unknown: 1 },
  ],
  [
    'executed, but not in the count',
    [
      ['wrote', answer(502, null, 'executed')],
      ['read', answer(200, 0)],
    ],
    { lost: 1, doubled: 0 },
  ],
  [
    'refused, and yet in the count',
    [
      ['wrote', answer(503, null, 'not-executed')],
      ['read', answer(200, 1)],
    ],
    { lost: 0, doubled: 1, refused: 1 },
  ],
  [
    'a broken connection and a failed page',
    [
      ['wrote', null],
      ['read', null],
      ['wrote', answer(500, null)],
      ['read', answer(200, 2)],
    ],
    { failedWrites: 2, failedReads: 1, unknown: 2, lost: 0, doubled: 0 },
  ],
];

test.each(cases)('checker: %s', (_, steps, expected) => {
  const check = new CounterCheck();
  for (const [what, said] of steps) check[what](said);
  expect(check).toMatchObject(expected);
});
