import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LimpetError } from '@limpet/core';

export interface ConfigFile {
  readonly path: string;
  /** Relative paths in it are relative to this folder. */
  readonly folder: string;
  readonly values: Readonly<Record<string, unknown>>;
}

const usualNames = ['limpet.config.json', 'limpet.config.mjs'];

/** Reads the file named by the operator, else the usual one of `folder`; null when there is none. */
export async function readConfigFile(named: string | null, folder: string): Promise<ConfigFile | null> {
  const found =
    named === null ? usualNames.map((name) => join(folder, name)).filter((one) => existsSync(one)) : [named];
  const [path, second] = found;
  if (path === undefined) return null;
  if (second !== undefined) throw refuse(path, `there is ${second} as well: keep one, or name it with --config`);
  const values = await load(path);
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw refuse(path, `it must hold one object with options as keys, such as { "nodes": 4 }`);
  }
  return { path, folder: dirname(path), values: { ...values } };
}

async function load(path: string): Promise<unknown> {
  if (!existsSync(path)) throw refuse(path, 'there is no such file');
  const kind = extname(path);
  try {
    if (kind === '.json') return JSON.parse(await readFile(path, 'utf8'));
    if (kind === '.mjs') return (await import(pathToFileURL(path).href)).default;
  } catch (error) {
    throw refuse(path, error instanceof Error ? error.message : String(error), error);
  }
  throw refuse(path, 'its name must end in .json or .mjs');
}

const refuse = (file: string, why: string, cause?: unknown): LimpetError =>
  new LimpetError('LIMPET_CONFIG_FILE', { file, why }, cause);
