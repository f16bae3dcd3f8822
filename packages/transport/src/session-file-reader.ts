import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { deserialize } from './payload.ts';
import {
  headerBytes,
  idBytes,
  parseHeader,
  parseRecordHead,
  recordHeadBytes,
  type SessionFileHeader,
} from './session-file.ts';

/** Bytes asked for at once; a larger record is read in one piece. */
const chunkBytes = 256 * 1024;

/** What became of a file. */
export interface ReadOutcome {
  /** Null when not even that could be read. */
  readonly header: SessionFileHeader | null;
  /** Records that were written and are not what was written, or are missing. */
  readonly lost: number;
  /** The first thing wrong with the file, in words; null when nothing is. */
  readonly why: string | null;
}

/**
 * Reads a session file record by record. `each` gets the id and a function that decodes the value (it throws when it
 * cannot); what it returns is why the record is none, null when it is well. A damaged record is left out and the next
 * one read; behind a damaged length nothing can be read. Never rejects.
 */
export async function readSessionFile(
  path: string,
  each: (id: string, read: () => unknown) => string | null,
): Promise<ReadOutcome> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    return { header: null, lost: 0, why: reasonOf(error) };
  }
  try {
    return await readRecords(new FileBytes(file), (await file.stat()).size, each);
  } catch (error) {
    return { header: null, lost: 0, why: reasonOf(error) };
  } finally {
    await file.close();
  }
}

async function readRecords(
  bytes: FileBytes,
  size: number,
  each: (id: string, read: () => unknown) => string | null,
): Promise<ReadOutcome> {
  const parsed = parseHeader((await bytes.take(headerBytes)) ?? Buffer.alloc(0));
  if (parsed.kind !== 'header') return { header: null, lost: 0, why: parsed.why };
  const { header } = parsed;
  let why = size === header.bytes ? null : `it has ${size} bytes, ${header.bytes} were written`;
  let lost = 0;
  for (let at = 1; at <= header.records; at += 1) {
    const place = `record ${at} of ${header.records}`;
    const head = await bytes.take(recordHeadBytes);
    const found = head === null ? null : parseRecordHead(head);
    const body = found === null ? null : await bytes.take(found.bytes);
    if (found === null || body === null) {
      why ??= `the length of ${place} does not match its checksum`;
      return { header, lost: lost + header.records - at + 1, why };
    }
    const problem = crc32(body) === found.sum ? tryEach(body, each) : 'it does not match its checksum';
    if (problem === null) continue;
    lost += 1;
    why ??= `${place} cannot be used: ${problem}`;
  }
  return { header, lost, why };
}

function tryEach(body: Buffer, each: (id: string, read: () => unknown) => string | null): string | null {
  try {
    return each(body.toString('latin1', 0, idBytes), () => deserialize(body.subarray(idBytes)));
  } catch (error) {
    return reasonOf(error);
  }
}

/** The bytes of a file in order, without holding more of it than is looked at. */
class FileBytes {
  readonly #file: FileHandle;
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** The next `count` bytes, valid until the next call; null when the file ends before. */
  async take(count: number): Promise<Buffer | null> {
    while (this.#buffer.length - this.#at < count) {
      const rest = this.#buffer.subarray(this.#at);
      const fresh = Buffer.allocUnsafe(Math.max(chunkBytes, count));
      rest.copy(fresh);
      const { bytesRead } = await this.#file.read(fresh, rest.length, fresh.length - rest.length, null);
      if (bytesRead === 0) return null;
      this.#buffer = fresh.subarray(0, rest.length + bytesRead);
      this.#at = 0;
    }
    this.#at += count;
    return this.#buffer.subarray(this.#at - count, this.#at);
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
