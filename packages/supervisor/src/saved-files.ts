import { closeSync, openSync, readdirSync, readSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { compareViews, type ViewNumber } from '@limpet/core';
import {
  draftOf,
  isSessionFileName,
  type ParsedHeader,
  parseSessionFileHeader,
  type SessionFileHeader,
  sessionFileHeaderBytes,
} from '@limpet/transport';

/** Nothing is to be loaded. */
export const noSavedFiles: SavedFiles = { paths: [], sessions: 0, term: 0, aside: [], isUnsure: false };

/** Why a file is not loaded; also the end of the name that it gets. */
export type AsideKind = 'damaged' | 'unknown' | 'old';

/** A file that was put aside. */
export interface AsideFile {
  readonly file: string;
  readonly now: string;
  readonly why: string;
  /** Sessions in it, null when not even that can be read. */
  readonly sessions: number | null;
}

export interface SavedFiles {
  /** To be loaded: absolute paths. */
  readonly paths: readonly string[];
  /** Sessions in them by their headers: each is counted in the file of its primary only. */
  readonly sessions: number;
  /** The highest term of any file: a new supervisor's is above it, whatever became of the view file. */
  readonly term: number;
  readonly aside: readonly AsideFile[];
  /** No view is on disk: whether the files hold the last state cannot be told. */
  readonly isUnsure: boolean;
}

/**
 * Looks at what the last full stop has left in `folder`, and sets aside what must not be loaded.
 *
 * A file is good for as long as no view newer than its writer's is on disk. A start publishes one before anything is
 * served, so a file is loaded once at most: should the whole cluster die later, no state older than an acknowledged
 * write can come back.
 */
export function findSavedFiles(folder: string, newest: ViewNumber | null): SavedFiles {
  const paths: string[] = [];
  const aside: AsideFile[] = [];
  let sessions = 0;
  let term = 0;
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    const parsed = readHeader(path);
    if (parsed.kind !== 'header') {
      aside.push(setAside(path, parsed.kind, parsed.why, null));
      continue;
    }
    const { header } = parsed;
    term = Math.max(term, header.view.term);
    if (newest !== null && compareViews(header.view, newest) < 0) {
      aside.push(setAside(path, 'old', whyOld(header), header.sessions));
      continue;
    }
    paths.push(path);
    sessions += header.sessions;
  }
  return { paths, sessions, term, aside, isUnsure: newest === null && paths.length > 0 };
}

const whyOld = ({ savedAt }: SessionFileHeader): string =>
  `the cluster went on after it was written (${new Date(savedAt).toISOString()}): what it holds may be out of date`;

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter(isSessionFileName).sort();
  } catch {
    return [];
  }
}

function readHeader(path: string): ParsedHeader {
  try {
    const fd = openSync(path, 'r');
    try {
      const buffer = Buffer.alloc(sessionFileHeaderBytes);
      return parseSessionFileHeader(buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, 0)));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return { kind: 'damaged', why: error instanceof Error ? error.message : String(error) };
  }
}

/** Gives the file a name that no start looks for; it stays for whoever wants to look into it. */
export function setAside(path: string, kind: AsideKind, why: string, sessions: number | null): AsideFile {
  const now = `${path}.${kind}`;
  try {
    renameSync(path, now);
    return { file: basename(path), now: basename(now), why, sessions };
  } catch {
    return { file: basename(path), now: basename(path), why, sessions };
  }
}

/** They have been loaded, and a view newer than theirs is on disk. */
export function removeSavedFiles(paths: readonly string[]): void {
  for (const path of paths) {
    rmSync(path, { force: true });
    rmSync(draftOf(path), { force: true });
  }
}
