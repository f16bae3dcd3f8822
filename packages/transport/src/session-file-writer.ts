import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { serialize } from './payload.ts';
import {
  draftOf,
  formatHeader,
  headerBytes,
  idBytes,
  recordBytesMax,
  recordHeadBytes,
  type SessionFileHeader,
  sealRecord,
} from './session-file.ts';

/** Bytes gathered before they are written: between two writes the writer's loop runs on. */
const batchBytes = 256 * 1024;

export interface SavedEntry {
  /** 40 characters. */
  readonly id: string;
  readonly value: unknown;
  /** A session that the writer is primary of. */
  readonly isOwn: boolean;
}

export interface WriteOptions {
  readonly path: string;
  readonly keyId: number;
  readonly view: SessionFileHeader['view'];
  readonly entries: Iterable<SavedEntry>;
  /** On the clock of `performance.now`: what is not written by then is left out. */
  readonly untilMs: number;
}

export interface WriteOutcome {
  readonly records: number;
  readonly sessions: number;
  readonly bytes: number;
  /** Entries with `isOwn` that are not in the file. */
  readonly unsaved: number;
  /** Why; null when everything is in the file. */
  readonly why: string | null;
}

/**
 * Writes a session file: complete and on disk under its name when this resolves, or not there at all. When the disk is
 * full or the time over, what has been written so far becomes the file, and the outcome says what is missing. Never
 * rejects.
 */
export async function writeSessionFile(options: WriteOptions): Promise<WriteOutcome> {
  const entries = options.entries[Symbol.iterator]();
  const draft = draftOf(options.path);
  const written = { records: 0, sessions: 0, bytes: headerBytes };
  let unsaved = 0;
  let why: string | null = null;
  try {
    const file = await open(draft, 'w', 0o600);
    try {
      const left = await writeRecords(file, entries, options.untilMs, written);
      ({ unsaved, why } = left);
      await seal(file, options, written);
    } finally {
      await file.close();
    }
    await rename(draft, options.path);
    await syncFolder(dirname(options.path));
  } catch (error) {
    // Nothing of it can be used.
    await unlink(draft).catch(() => {});
    unsaved += written.sessions;
    Object.assign(written, { records: 0, sessions: 0, bytes: 0 });
    why ??= reasonOf(error);
  }
  if (why !== null)
    for (let next = entries.next(); next.done !== true; next = entries.next()) unsaved += own(next.value);
  return { ...written, unsaved, why };
}

const own = ({ isOwn }: SavedEntry): number => (isOwn ? 1 : 0);

type Written = { records: number; sessions: number; bytes: number };

/** Gives what could not be written of the entries it has taken; it stops taking when there is a reason. */
async function writeRecords(
  file: FileHandle,
  entries: Iterator<SavedEntry>,
  untilMs: number,
  written: Written,
): Promise<{ unsaved: number; why: string | null }> {
  let batch: Buffer[] = [];
  let [bytes, sessions] = [0, 0];
  let tooLarge = 0;
  for (;;) {
    const next = entries.next();
    const isOver = performance.now() > untilMs;
    if (next.done !== true && !isOver) {
      const record = encodeRecord(next.value);
      if (record === null) tooLarge += own(next.value);
      else {
        batch.push(record);
        bytes += record.length;
        sessions += own(next.value);
      }
    }
    const isLast = next.done === true || isOver;
    if (bytes < batchBytes && !isLast) continue;
    try {
      await writeAll(file, batch, bytes, written.bytes);
    } catch (error) {
      const pending = next.done !== true && isOver ? own(next.value) : 0;
      return { unsaved: tooLarge + sessions + pending, why: reasonOf(error) };
    }
    written.records += batch.length;
    written.sessions += sessions;
    written.bytes += bytes;
    if (next.done === true) {
      return { unsaved: tooLarge, why: tooLarge > 0 ? `a session has more than ${recordBytesMax} bytes` : null };
    }
    if (isOver) return { unsaved: tooLarge + own(next.value), why: 'the time for it was over' };
    batch = [];
    bytes = 0;
    sessions = 0;
  }
}

const noHead = Buffer.alloc(recordHeadBytes + idBytes);

/** Null for one that no reader would take. */
function encodeRecord({ id, value }: SavedEntry): Buffer | null {
  const record = serialize(value, noHead);
  if (record.length - recordHeadBytes > recordBytesMax) return null;
  record.write(id, recordHeadBytes, idBytes, 'latin1');
  sealRecord(record);
  return record;
}

async function writeAll(file: FileHandle, batch: readonly Buffer[], bytes: number, at: number): Promise<void> {
  const whole = Buffer.concat(batch, bytes);
  for (let from = 0; from < bytes; ) {
    // A disk that is nearly full takes a part, and says so at the next write.
    const { bytesWritten } = await file.write(whole, from, bytes - from, at + from);
    from += bytesWritten;
  }
}

/** Cuts off what a failed write may have left, puts the header in its place, and waits for the disk. */
async function seal(file: FileHandle, { keyId, view }: WriteOptions, written: Written): Promise<void> {
  const header = formatHeader({ keyId, view, ...written, savedAt: Date.now() });
  await file.truncate(written.bytes);
  await writeAll(file, [header], header.length, 0);
  await file.sync();
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
