import { readFileSync } from 'node:fs';
import { errorTable } from '@limpet/core';
import { expect, test } from 'vitest';
// @ts-expect-error: a script without types
import { errorsPage } from '../../scripts/write-errors.mjs';
import { listSources } from '../support/sources.ts';

test('errors: the page lists the whole table: run `npm run docs:errors` after changing it', () => {
  const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  expect(page).toBe(errorsPage(errorTable));
});

test('errors: every code is used: nothing in the table is dead', () => {
  const sources = listSources().filter((file) => !file.endsWith('packages/core/src/errors.ts'));
  const text = sources.map((file) => readFileSync(file, 'utf8')).join('\n');
  expect(Object.keys(errorTable).filter((code) => !text.includes(code))).toEqual([]);
});
