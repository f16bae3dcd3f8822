import { readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import { LimpetError } from '@limpet/core';

/**
 * The variables of the files, read by node's own parser; a later file wins. Throws LIMPET_ENV_FILE.
 * Node 20 looks for `--env-file` behind the script's name too: it then loads the file into this process itself, by the
 * same rules, or ends with exit code 9 when there is none. Later versions leave it to us.
 */
export async function readEnvFiles(files: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const variables: Record<string, string> = {};
  for (const file of files) {
    try {
      Object.assign(variables, parseEnv(await readFile(file, 'utf8')));
    } catch (error) {
      throw new LimpetError(
        'LIMPET_ENV_FILE',
        { file, why: error instanceof Error ? error.message : String(error) },
        error,
      );
    }
  }
  return variables;
}
