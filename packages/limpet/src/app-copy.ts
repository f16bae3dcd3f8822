import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { LimpetError } from '@limpet/core';

/** One installed copy of the package. */
export interface Copy {
  readonly folder: string;
  readonly version: string;
  /** Copies with the same number understand each other's worker and supervisor; null: none stated. */
  readonly contract: number | null;
  /** The file that makes a worker of a process. */
  readonly preload: string | null;
}

export interface ChosenCopy {
  /** Null: the command's own. */
  readonly other: Copy | null;
  /** One line for the operator when the versions differ. */
  readonly note: string | null;
}

/** The copy this command belongs to. */
export const ownCopy = (): Copy => readCopy(fileURLToPath(new URL('../package.json', import.meta.url)));

/**
 * The copy whose code runs inside the workers: the one the app itself would import, so that its `session()` and the
 * worker's runtime are the same code. Throws LIMPET_OTHER_COPY when that one does not understand this command.
 */
export function chooseCopy(appFile: string, own: Copy): ChosenCopy {
  const found = findCopy(appFile);
  if (found === null || found.folder === own.folder) return { other: null, note: null };
  if (found.contract !== own.contract || found.preload === null) {
    throw new LimpetError('LIMPET_OTHER_COPY', {
      app: found.folder,
      appVersion: found.version,
      own: own.folder,
      ownVersion: own.version,
    });
  }
  const same = found.version === own.version;
  const note = same
    ? null
    : `the workers run the app's own limpet ${found.version} (${found.folder}); this command is ${own.version}`;
  return { other: found, note };
}

export const preloadUrl = (copy: Copy): URL => pathToFileURL(copy.preload ?? join(copy.folder, 'dist/preload.js'));

function findCopy(appFile: string): Copy | null {
  // Node resolves imports from the real file: a linked app file finds what lies next to its target.
  const require = createRequire(realpathSync(appFile));
  try {
    return readCopy(require.resolve('limpet/package.json'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') return null;
    // A package named limpet that does not let its package.json be read is not one of ours.
    if (error instanceof Error && 'code' in error && error.code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') return null;
    throw error;
  }
}

function readCopy(path: string): Copy {
  const folder = dirname(realpathSync(path));
  const found = JSON.parse(readFileSync(path, 'utf8'));
  const preload = found.exports?.['./preload']?.default;
  const file = typeof preload === 'string' ? join(folder, preload) : null;
  return {
    folder,
    version: String(found.version ?? '0.0.0'),
    contract: typeof found.limpet?.contract === 'number' ? found.limpet.contract : null,
    preload: file !== null && existsSync(file) ? file : null,
  };
}
