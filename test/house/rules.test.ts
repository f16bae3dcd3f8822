import { describe, expect, test } from 'vitest';
import { findBreaches } from './rules.ts';
import { readTree, repositoryRoot } from './tree.ts';

const rulesBrokenBy = (path: string, text: string): readonly string[] =>
  findBreaches([{ path, text }]).map((breach) => breach.rule);

test('house: this repository: no rule is broken', () => {
  expect(findBreaches(readTree(repositoryRoot))).toEqual([]);
});

describe('house: planted breaches', () => {
  const lockedTo = (resolved: string): string => JSON.stringify({ packages: { 'node_modules/a': { resolved } } });
  const printed = 'console.log(1);\n';
  const cases: readonly (readonly [string, string, string, readonly string[]])[] = [
    ['a file of 401 lines', 'packages/core/src/a.ts', 'x;\n'.repeat(401), ['length']],
    ['a file of 400 lines', 'packages/core/src/a.ts', 'x;\n'.repeat(400), []],
    ['utils.ts', 'packages/worker/src/utils.ts', 'x;\n', ['name']],
    ['helpers.mjs in a folder', 'test/support/helpers.mjs', 'x;\n', ['name']],
    ['console in a worker', 'packages/worker/src/a.ts', printed, ['console']],
    ['console in the command line', 'packages/limpet/src/a.ts', printed, []],
    ['the word console in a string', 'packages/worker/src/a.ts', "export const a = 'console.log';\n", []],
    ['a focused test', 'packages/core/src/a.test.ts', `test.${'only'}('x', () => {});\n`, ['only-skip']],
    ['a left out suite', 'test/a.test.ts', `describe.concurrent.${'skip'}('x', () => {});\n`, ['only-skip']],
    ['a path of one machine', 'docs/a.md', `see ${['', 'home', 'me'].join('/')}/x\n`, ['machine-path']],
    ['a temporary path', 'test/a.ts', `const a = '${['', 'tmp', 'x'].join('/')}/y';\n`, ['machine-path']],
    ['a path in an address', 'docs/a.md', 'https://example.com/home/x\n', []],
    ['a workspace', 'package-lock.json', lockedTo('packages/core'), []],
    ['a registry by its host', 'package-lock.json', lockedTo('http://10.0.0.1/a/-/a-1.0.0.tgz'), ['registry']],
    ['a git address', 'package-lock.json', lockedTo('git+ssh://git@example.com/a.git'), ['registry']],
  ];
  test.each(cases)('%s', (_, path, text, rules) => {
    expect(rulesBrokenBy(path, text)).toEqual(rules);
  });
});
