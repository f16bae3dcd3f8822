import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LimpetError } from '@limpet/core';
import { suggest } from './suggest.ts';

export interface AppFile {
  /** Absolute: what node is given. */
  readonly file: string;
  /** Arguments for node that make it able to run the file: the loader of the project's own tsx, or nothing. */
  readonly nodeArgs: readonly string[];
}

const typescriptEndings = new Set(['.ts', '.mts', '.cts', '.tsx']);
/** Node never strips types from these: they are not only TypeScript. */
const neverNative = new Set(['.tsx']);
const indexNames = ['index.js', 'index.mjs', 'index.cjs', 'index.ts', 'index.mts'];
const endings = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts'];

/**
 * The file that `limpet start <written>` runs: a file, a name without its ending, or a folder with a package.json.
 * `native`: whether this node runs TypeScript itself. Throws LIMPET_APP_FILE or LIMPET_APP_TYPESCRIPT.
 */
export function resolveAppFile(
  written: string,
  folder: string,
  native: boolean = Boolean((process.features as { typescript?: unknown }).typescript),
): AppFile {
  const file = findFile(resolve(folder, written), written);
  const ending = extname(file);
  if (!typescriptEndings.has(ending) || (native && !neverNative.has(ending))) return { file, nodeArgs: [] };
  return { file, nodeArgs: ['--import', tsxOf(file)] };
}

function findFile(path: string, written: string): string {
  if (!existsSync(path)) {
    const withEnding = endings.map((ending) => path + ending).find(isFile);
    if (withEnding !== undefined) return withEnding;
    throw refuse(written, `there is no such file${nearby(path)}`);
  }
  if (isFile(path)) return path;
  if (!statSync(path).isDirectory()) throw refuse(written, 'it is neither a file nor a folder');
  const main = mainOf(path);
  if (main !== null) {
    const found = [
      join(path, main),
      ...endings.map((ending) => join(path, main + ending)),
      ...indexesOf(join(path, main)),
    ];
    const file = found.find(isFile);
    if (file === undefined)
      throw refuse(written, `its package.json names "${main}" as main, which does not exist (is it built?)`);
    return file;
  }
  const index = indexesOf(path).find(isFile);
  if (index === undefined)
    throw refuse(written, 'it is a folder without a "main" in a package.json and without an index.js');
  return index;
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
const indexesOf = (folder: string): readonly string[] => indexNames.map((name) => join(folder, name));

function mainOf(folder: string): string | null {
  const path = join(folder, 'package.json');
  if (!existsSync(path)) return null;
  try {
    const main: unknown = createRequire(join(folder, 'x'))(path).main;
    return typeof main === 'string' && main !== '' ? main : null;
  } catch (error) {
    throw refuse(folder, `its package.json cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}

/** What is like the missing file in the same folder, else what could be meant there. */
function nearby(path: string): string {
  const folder = dirname(path);
  if (!existsSync(folder)) return ` (nor the folder ${folder})`;
  const names = readdirSync(folder).filter((name) => endings.includes(extname(name)));
  const name = basename(path);
  const stem = basename(name, extname(name));
  const near = names.find((one) => basename(one, extname(one)) === stem) ?? suggest(name, names);
  return near === null ? '' : `: did you mean ${shown(join(folder, near))}?`;
}

function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') || isAbsolute(short) ? path : short;
}

/** The project's own tsx, as a URL that `--import` takes wherever the process is started. */
function tsxOf(file: string): string {
  try {
    return pathToFileURL(createRequire(file).resolve('tsx')).href;
  } catch {
    throw new LimpetError('LIMPET_APP_TYPESCRIPT', { file: shown(file), node: process.version });
  }
}

const refuse = (file: string, why: string): LimpetError => new LimpetError('LIMPET_APP_FILE', { file, why });
