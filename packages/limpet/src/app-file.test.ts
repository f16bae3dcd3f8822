import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { chooseCopy, ownCopy } from './app-copy.ts';
import { resolveAppFile } from './app-file.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'limpet app ñ-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text = ''): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}
const resolve = (written: string, native = false) => resolveAppFile(written, folder, native);

test('app file: a file, a name without ending, a file without ending: found as node finds them', () => {
  const app = write('app.mjs');
  const bare = write('server');
  expect(resolve('app.mjs')).toEqual({ file: app, nodeArgs: [] });
  expect(resolve('./app').file).toBe(app);
  expect(resolve(bare).file).toBe(bare);
});

test('app file: a folder: main of its package.json, else its index', () => {
  const main = write('a/lib/main.js');
  write('a/package.json', '{"main":"lib/main"}');
  const index = write('b/index.mjs');
  expect([resolve('a').file, resolve('b').file]).toEqual([main, index]);
  write('c/package.json', '{"main":"dist/x.js"}');
  expect(() => resolve('c')).toThrow('its package.json names "dist/x.js" as main, which does not exist (is it built?)');
  write('d/package.json', '{');
  expect(() => resolve('d')).toThrow('its package.json cannot be read');
  mkdirSync(join(folder, 'e'));
  expect(() => resolve('e')).toThrow('cannot start e: it is a folder without a "main"');
});

test('app file: missing: what is like it is named', () => {
  const app = write('app.mjs');
  expect(() => resolve('app.js')).toThrow(`cannot start app.js: there is no such file: did you mean ${app}?`);
  expect(() => resolve('ap.mjs')).toThrow('did you mean');
  expect(() => resolve('zzzzzz.mjs')).toThrow(/there is no such file$/);
  expect(() => resolve('no/app.js')).toThrow(`there is no such file (nor the folder ${join(folder, 'no')})`);
});

test('app file: TypeScript: natively where node does it, else by the tsx of the project, else a message', () => {
  const app = write('app.ts');
  const view = write('view.tsx');
  expect(resolve('app.ts', true)).toEqual({ file: app, nodeArgs: [] });
  expect(() => resolve('app.ts')).toThrow('npm install --save-dev tsx');
  const tsx = write('node_modules/tsx/loader.mjs');
  write('node_modules/tsx/package.json', '{"name":"tsx","exports":{".":"./loader.mjs"}}');
  const loader = ['--import', pathToFileURL(tsx).href];
  expect(resolve('app.ts')).toEqual({ file: app, nodeArgs: loader });
  expect(resolve('view.tsx', true)).toEqual({ file: view, nodeArgs: loader });
});

test('copy: the app has none, or the same: the own one is used', () => {
  expect(chooseCopy(write('app.mjs'), ownCopy())).toEqual({ other: null, note: null });
  expect(chooseCopy(new URL(import.meta.url).pathname, ownCopy())).toEqual({ other: null, note: null });
});

test('copy: the app has its own: it is used, another version is said', () => {
  const app = write('app.mjs');
  const preload = write('node_modules/limpet/dist/preload.js');
  const manifest = (version: string, contract: unknown) =>
    write(
      'node_modules/limpet/package.json',
      JSON.stringify({
        name: 'limpet',
        version,
        limpet: { contract },
        exports: { './preload': { default: './dist/preload.js' }, './package.json': './package.json' },
      }),
    );
  const own = ownCopy();
  manifest(own.version, own.contract);
  expect(chooseCopy(app, own)).toMatchObject({ other: { preload }, note: null });
  manifest('0.0.9', own.contract);
  expect(chooseCopy(app, own).note).toContain(`the app's own limpet 0.0.9`);
  manifest('0.0.9', 99);
  expect(() => chooseCopy(app, own)).toThrow(join(folder, 'node_modules/limpet'));
  expect(() => chooseCopy(app, own)).toThrow(own.folder);
});
