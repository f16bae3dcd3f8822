import { serialize } from 'node:v8';
import { crc32 } from 'node:zlib';

/**
 * The file that one side of one worker saves its sessions to at a full stop, format 1. Numbers are big-endian.
 *
 * Header, 64 bytes: magic (8) · format (2) · V8's serialisation version (1) · 0 (1) · key id (4) · view, term (8) and
 * number (8) · records (4) · sessions (4) · bytes of the whole file (8) · milliseconds since the epoch (8) · 0 (4) ·
 * CRC-32 of what precedes (4). It is written last.
 *
 * Then the records: bytes of the body (4) · CRC-32 of the body (4) · CRC-32 of these 8 bytes (4) · body: the id (40),
 * then a value as `v8.serialize` writes it.
 *
 * A checksum of its own on each length lets a reader skip a damaged body and go on with the next record.
 */
export const sessionFileFormat = 1;

const fileNamePattern = /^n\d+\.\d+\.(?:app|keeper)\.sessions$/;

/** `n1.3.app.sessions`: the file of one side of one incarnation. */
export const sessionFileName = (address: string, side: 'app' | 'keeper'): string => `${address}.${side}.sessions`;

/** Whether `name` is that of a finished session file; drafts and what was set aside have others. */
export const isSessionFileName = (name: string): boolean => fileNamePattern.test(name);

/** What a file is called while it is being written. */
export const draftOf = (path: string): string => `${path}.part`;

export const headerBytes = 64;
export const recordHeadBytes = 12;
export const idBytes = 40;
/** Largest body of a record: a session of 1 MB and the answers it keeps, with room. */
export const recordBytesMax = 16 * 1024 * 1024;

const magic = Buffer.from('LIMPETSF', 'latin1');
const formatAt = 8;
const wireAt = 10;
const keyAt = 12;
const termAt = 16;
const numberAt = 24;
const recordsAt = 32;
const sessionsAt = 36;
const bytesAt = 40;
const savedAt = 48;
const sumAt = 60;

/** Values written by a newer V8 may not be readable by an older one; the other way round they always are. */
const wireVersion = serialize(null)[1] ?? 0;

export interface SessionFileHeader {
  readonly keyId: number;
  /** The newest view of the writer. */
  readonly view: { readonly term: number; readonly number: number };
  readonly records: number;
  /** How many of them are sessions that the writer was primary of. */
  readonly sessions: number;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly savedAt: number;
}

export type ParsedHeader =
  | { readonly kind: 'header'; readonly header: SessionFileHeader }
  /** Not a file that this version can read, and not a broken one. */
  | { readonly kind: 'unknown'; readonly why: string }
  | { readonly kind: 'damaged'; readonly why: string };

export function formatHeader(header: SessionFileHeader): Buffer {
  const buffer = Buffer.alloc(headerBytes);
  magic.copy(buffer);
  buffer.writeUInt16BE(sessionFileFormat, formatAt);
  buffer.writeUInt8(wireVersion, wireAt);
  buffer.writeUInt32BE(header.keyId, keyAt);
  buffer.writeBigUInt64BE(BigInt(header.view.term), termAt);
  buffer.writeBigUInt64BE(BigInt(header.view.number), numberAt);
  buffer.writeUInt32BE(header.records, recordsAt);
  buffer.writeUInt32BE(header.sessions, sessionsAt);
  buffer.writeBigUInt64BE(BigInt(header.bytes), bytesAt);
  buffer.writeBigUInt64BE(BigInt(header.savedAt), savedAt);
  buffer.writeUInt32BE(crc32(buffer.subarray(0, sumAt)), sumAt);
  return buffer;
}

/** What the first bytes of a file say. Magic and format are where they are in every format. */
export function parseHeader(buffer: Buffer): ParsedHeader {
  if (buffer.length < headerBytes) return { kind: 'damaged', why: `it has only ${buffer.length} bytes` };
  if (!buffer.subarray(0, magic.length).equals(magic)) return { kind: 'damaged', why: 'it does not begin like one' };
  const format = buffer.readUInt16BE(formatAt);
  const isSound = buffer.readUInt32BE(sumAt) === crc32(buffer.subarray(0, sumAt));
  if (format !== sessionFileFormat) {
    const why = `it has format ${format}, and this version of Limpet reads format ${sessionFileFormat}`;
    return { kind: 'unknown', why };
  }
  if (!isSound) return { kind: 'damaged', why: 'its header does not match its checksum' };
  const wire = buffer.readUInt8(wireAt);
  if (wire > wireVersion) return { kind: 'unknown', why: `a newer version of Node wrote it (V8 format ${wire})` };
  return {
    kind: 'header',
    header: {
      keyId: buffer.readUInt32BE(keyAt),
      view: {
        term: Number(buffer.readBigUInt64BE(termAt)),
        number: Number(buffer.readBigUInt64BE(numberAt)),
      },
      records: buffer.readUInt32BE(recordsAt),
      sessions: buffer.readUInt32BE(sessionsAt),
      bytes: Number(buffer.readBigUInt64BE(bytesAt)),
      savedAt: Number(buffer.readBigUInt64BE(savedAt)),
    },
  };
}

/** Fills in the head of a record whose body stands behind it already. */
export function sealRecord(record: Buffer): void {
  const body = record.subarray(recordHeadBytes);
  record.writeUInt32BE(body.length, 0);
  record.writeUInt32BE(crc32(body), 4);
  record.writeUInt32BE(crc32(record.subarray(0, 8)), 8);
}

/** The head of a record: null when it is not what was written, and then nobody knows where the next one begins. */
export function parseRecordHead(head: Buffer): { readonly bytes: number; readonly sum: number } | null {
  if (head.readUInt32BE(8) !== crc32(head.subarray(0, 8))) return null;
  const bytes = head.readUInt32BE(0);
  return bytes < idBytes || bytes > recordBytesMax ? null : { bytes, sum: head.readUInt32BE(4) };
}
