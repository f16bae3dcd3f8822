import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatAddress, LimpetError, type RequestId } from '@limpet/core';
import type { Run } from './run.ts';

/** What a worker that dies of its own leaves behind: the suspects of P21. */
export interface DeathNote {
  readonly running: readonly RequestId[];
  readonly code: number;
  /** First line of the error that ended it. */
  readonly error?: string;
}

/** Where the supervisor looks for it after the death. */
export const deathNotePath = (run: Run): string =>
  join(run.sockets, `${formatAddress({ id: run.node, incarnation: run.incarnation })}.death`);

/** The line is for people: a page of JSON thrown as an error is not. */
const errorCharactersMax = 500;

/**
 * Writes the note on every end that this process brings on itself. Synchronous and to a file: a message on a link would
 * die with the loop that has to send it. A signal from outside leaves none, which is what tells the two apart.
 */
export function leaveDeathNote(run: Run, running: () => readonly RequestId[], isStopping: () => boolean): void {
  let error: string | null = null;
  process.on('uncaughtExceptionMonitor', (cause: unknown) => {
    const name = cause instanceof LimpetError ? cause.code : cause instanceof Error ? cause.name : '';
    const text = cause instanceof Error ? `${name}: ${cause.message}` : String(cause);
    error = text.split('\n', 1)[0]?.slice(0, errorCharactersMax) ?? '';
  });
  process.on('exit', (code) => {
    if (isStopping()) return;
    const note: DeathNote = { running: running(), code, ...(error === null ? {} : { error }) };
    try {
      writeFileSync(deathNotePath(run), JSON.stringify(note), { mode: 0o600 });
    } catch {
      // The folder is gone, so is the supervisor: the exit code has to tell.
    }
  });
}
