import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { findLayerViolations } from './layers.ts';
import { importsOf, readSource } from './source-text.ts';
import { readTree, repositoryRoot } from './tree.ts';

let planted: string | null = null;
afterEach(() => {
  if (planted) rmSync(planted, { recursive: true, force: true });
  planted = null;
});

/** Writes a small tree and says which rules it breaks. */
function rulesBrokenBy(files: { readonly [path: string]: string }): readonly string[] {
  planted = mkdtempSync(join(tmpdir(), 'limpet-house-'));
  for (const [path, text] of Object.entries(files)) {
    const target = join(planted, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  }
  return findLayerViolations(readTree(planted)).map((violation) => violation.rule);
}

const dependsOn = (...names: string[]): string =>
  JSON.stringify({ dependencies: Object.fromEntries(names.map((name) => [name, '*'])) });

test('layers: this repository: no rule is broken', () => {
  expect(findLayerViolations(readTree(repositoryRoot))).toEqual([]);
});

describe('layers: planted violations', () => {
  const cases: readonly (readonly [string, { readonly [path: string]: string }, readonly string[]])[] = [
    [
      'upwards by name',
      {
        'packages/transport/package.json': dependsOn('@limpet/worker'),
        'packages/transport/src/a.ts': "import { x } from '@limpet/worker';",
      },
      ['layer'],
    ],
    [
      'balancer imports worker, a type only',
      {
        'packages/balancer/package.json': dependsOn('@limpet/worker'),
        'packages/balancer/src/a.ts': "import type { X } from '@limpet/worker';",
      },
      ['layer'],
    ],
    [
      'demo imports below limpet',
      {
        'packages/demo/package.json': dependsOn('@limpet/session'),
        'packages/demo/src/a.ts': "export * from '@limpet/session';",
      },
      ['layer'],
    ],
    ['a test imports upwards', { 'packages/session/src/a.test.ts': "import '@limpet/supervisor';" }, ['layer']],
    ['an unknown package', { 'packages/extra/src/a.ts': 'export const a = 1;' }, ['layer']],
    ['out of the package by path', { 'packages/worker/src/a.ts': "import '../../session/src/b.ts';" }, ['outside']],
    ['its own index', { 'packages/worker/src/a.ts': "import { b } from './index.ts';" }, ['own-index']],
    ['its own name', { 'packages/worker/src/a.ts': "const b = await import('@limpet/worker');" }, ['own-index']],
    [
      'a cycle of types over three files',
      {
        'packages/worker/src/a.ts': "import type { B } from './b.ts';",
        'packages/worker/src/b.ts': "export type { C } from './c.ts';",
        'packages/worker/src/c.ts': "export type C = import('./a.ts').A;",
      },
      ['cycle'],
    ],
    ['a dependency nobody declared', { 'packages/worker/src/a.ts': "import pino from 'pino';" }, ['undeclared']],
    ['core imports Node', { 'packages/core/src/a.ts': "import { join } from 'node:path';" }, ['core-import']],
    ['core waits', { 'packages/core/src/a.ts': 'export async function f() {}' }, ['core-purity']],
    ['core reads the clock', { 'packages/core/src/a.ts': 'export const now = () => Date.now();' }, ['core-purity']],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a program
    ['core throws dice', { 'packages/core/src/a.ts': 'export const x = `${Math.random()}`;' }, ['core-purity']],
    ['core sets a timer', { 'packages/core/src/a.ts': 'setTimeout(() => {}, 1);' }, ['core-purity']],
    ['core prints', { 'packages/core/src/a.ts': 'console.log(1);' }, ['core-purity']],
  ];
  test.each(cases)('%s: caught', (_, files, rules) => {
    expect(rulesBrokenBy(files)).toEqual(rules);
  });

  test('words in comments, strings and expressions: not mistaken for code', () => {
    const text = [
      '// await Date.now() import x from "node:fs"',
      '/* console.log, async */',
      'export const said = \'await setTimeout import "x"\';',
      'export const pattern = /import "node:net"|Math.random/;',
      'export const half = (a: number) => a / 2 / 1;',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a program
      'export const shown = `console ${half(1)} async`;',
    ].join('\n');
    expect(rulesBrokenBy({ 'packages/core/src/a.ts': text })).toEqual([]);
    expect(readSource(text).code).not.toContain('console');
  });
});

test('layers: import scanner: every form is seen', () => {
  const text = `
    import a from 'one'; import { b,
      c } from "two"; import type { D } from 'three';
    export * from 'four'; export { e } from 'five'; import 'six';
    const f = await import('seven'); type G = import('eight').G; const h = require('nine');
  `;
  const expected = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
  expect([...importsOf(text)].sort()).toEqual(expected.sort());
});

test('layers: core against the compiler: a Node name does not compile', () => {
  planted = mkdtempSync(join(tmpdir(), 'limpet-house-'));
  writeFileSync(join(planted, 'a.ts'), 'export const stop = (): void => process.exit(1);\n');
  writeFileSync(
    join(planted, 'tsconfig.json'),
    JSON.stringify({
      extends: join(repositoryRoot, 'packages/core/tsconfig.json'),
      compilerOptions: { rootDir: '.', outDir: 'dist' },
      include: ['a.ts'],
    }),
  );
  const tsc = join(repositoryRoot, 'node_modules/typescript/bin/tsc');
  let printed = '';
  try {
    execFileSync(process.execPath, [tsc, '-p', planted], { encoding: 'utf8' });
  } catch (error) {
    printed = String(Object(error).stdout);
  }
  expect(printed).toContain("'process'");
});
