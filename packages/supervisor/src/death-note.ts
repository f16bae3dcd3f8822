import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseRequestId, type RequestId } from '@limpet/core';

/** What a worker that ended of its own left behind (PROTOCOL P21). */
export interface DeathNote {
  readonly running: readonly RequestId[];
  readonly error: string | null;
}

const runningMax = 10_000;
const errorCharactersMax = 500;

/** Takes the note of the process at `address` (`n2.3`) out of the sockets folder, null when it left none. */
export function takeDeathNote(sockets: string, address: string): DeathNote | null {
  const path = join(sockets, `${address}.death`);
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    rmSync(path, { force: true });
    return parseNote(content);
  } catch {
    return null;
  }
}

function parseNote(content: unknown): DeathNote | null {
  if (typeof content !== 'object' || content === null) return null;
  const { running, error } = content as { readonly running?: unknown; readonly error?: unknown };
  if (!Array.isArray(running)) return null;
  const ids = running.slice(0, runningMax).map((id) => (typeof id === 'string' ? parseRequestId(id) : null));
  return {
    running: ids.filter((id) => id !== null),
    error: typeof error === 'string' ? error.slice(0, errorCharactersMax) : null,
  };
}
