import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { applyEdits, editsOf } from './mutant.ts';
import { rules } from './report.ts';
import { root } from './root.ts';
import { heldElsewhere, mutants } from './table.ts';

const read = (file: string): string => readFileSync(new URL(file, root), 'utf8');

describe('mutants: each one', () => {
  test.each(mutants.map((mutant) => [mutant.name, mutant] as const))(
    '%s: its text stands once in each module',
    (_, mutant) => {
      for (const { file } of editsOf(mutant)) {
        const text = read(file);
        expect(applyEdits(text, file, mutant)).not.toBe(text);
      }
    },
  );
});

describe('mutants: all of them', () => {
  test('every rule has one, or is held by tests that are there', () => {
    const held = [...mutants, ...heldElsewhere].map(({ rule }) => rule);
    expect(rules.filter((rule) => !held.includes(rule))).toEqual([]);
    const missing = heldElsewhere.flatMap(({ tests }) => tests.filter((file) => !existsSync(new URL(file, root))));
    expect(missing).toEqual([]);
  });

  test('no name is given twice', () => {
    const names = mutants.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  test('a text that is not there, or there twice: refused, with the name of the mutant', () => {
    const mutant = { name: 'one', rule: 'P1', file: 'a.js', find: 'x', replace: 'y', why: 'a planted one' } as const;
    expect(() => applyEdits('abc', 'a.js', mutant)).toThrow('"one"');
    expect(() => applyEdits('x x', 'a.js', mutant)).toThrow('2 times');
    expect(applyEdits('x x', 'b.js', mutant)).toBe('x x');
  });
});
