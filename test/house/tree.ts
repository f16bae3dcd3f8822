import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root. */
export const repositoryRoot = fileURLToPath(new URL('../../', import.meta.url));

const notOurs = new Set(['node_modules', 'dist', '.git', '.limpet', 'out', 'coverage']);
const ignoredEndings = ['.tsbuildinfo', '.tgz', '.log'];

export interface SourceFile {
  /** From the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** Every file under `root` that belongs to the project: walked, not asked of git, so that an unpacked archive works too. */
export function readTree(root: string): readonly SourceFile[] {
  const files: SourceFile[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (notOurs.has(entry.name)) continue; // `.git` is a file where the checkout is one of several.
      if (entry.isDirectory()) walk(path);
      if (!entry.isFile() || ignoredEndings.some((ending) => entry.name.endsWith(ending))) continue;
      files.push({ path: relative(root, path).split(sep).join('/'), text: readFileSync(path, 'utf8') });
    }
  };
  walk(root);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export const isCode = (path: string): boolean => /\.(?:ts|mts|cts|mjs|cjs|js)$/.test(path);
/** A test, or a suite of tests that several files run. */
export const isTest = (path: string): boolean => /\.test(?:-suite)?\.ts$/.test(path);
