import { LimpetError } from '@limpet/core';
import { decodeCompact, encodeCompact, Unencodable } from './compact.ts';
import { deserialize, serialize } from './payload.ts';

/** Largest payload of a frame, in bytes. The largest message is a whole session record, 1 MB. */
export const frameBytesMax = 16 * 1024 * 1024;

const headBytes = 4;
/** How V8's format begins; no compact message does. */
const v8Mark = 0xff;
const noHead = new Uint8Array(headBytes);

/**
 * A frame: the payload's length as 4 bytes, big-endian, then the message, compact or, where that has no tag for
 * something in it, as `v8.serialize` writes it. Throws LIMPET_FRAME_TOO_LARGE.
 */
export function encodeFrame(message: unknown): Buffer {
  const frame = encodePayload(message);
  const bytes = frame.length - headBytes;
  if (bytes > frameBytesMax) throw new LimpetError('LIMPET_FRAME_TOO_LARGE', { bytes, bytesMax: frameBytesMax });
  frame.writeUInt32BE(bytes, 0);
  return frame;
}

function encodePayload(message: unknown): Buffer {
  try {
    return encodeCompact(message, headBytes);
  } catch (error) {
    if (error instanceof Unencodable) return serialize(message, noHead);
    throw error;
  }
}

/**
 * Cuts a stream of bytes into messages, however the bytes arrive. Each byte is copied at most once, so that delivery
 * byte by byte costs as many steps as there are bytes.
 */
export class FrameReader {
  readonly #message: (message: unknown) => void;
  /** How much of a head that was cut in two has come, and its value so far. */
  #headRead = 0;
  #head = 0;
  /** The payload of a frame that was cut in two; null between frames. */
  #body: Buffer | null = null;
  #filled = 0;
  #stopped = false;
  #broken: LimpetError | null = null;

  constructor(message: (message: unknown) => void) {
    this.#message = message;
  }

  /** Whether the bytes so far end inside a frame. */
  get isInside(): boolean {
    return this.#headRead > 0 || this.#body !== null;
  }

  /** No further message is given out, not even of the bytes being read now. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Null, or LIMPET_FRAME_TOO_LARGE or LIMPET_FRAME_BROKEN: where the next frame begins is then unknown, and the stream
   * is lost. A value and not an exception, so that it cannot be mistaken for one of the receiver of the messages.
   */
  feed(chunk: Buffer): LimpetError | null {
    let at = 0;
    while (at < chunk.length && !this.#stopped && this.#broken === null) {
      at = this.#body === null ? this.#readHead(chunk, at) : this.#readBody(this.#body, chunk, at);
    }
    return this.#broken;
  }

  #readHead(chunk: Buffer, from: number): number {
    let at = from;
    while (this.#headRead < headBytes && at < chunk.length) {
      this.#head = this.#head * 256 + (chunk[at++] ?? 0);
      this.#headRead++;
    }
    if (this.#headRead < headBytes) return at;
    const bytes = this.#head;
    this.#headRead = 0;
    this.#head = 0;
    if (bytes > frameBytesMax) {
      // Refused before anything is allocated for it.
      this.#broken = new LimpetError('LIMPET_FRAME_TOO_LARGE', { bytes, bytesMax: frameBytesMax });
      return at;
    }
    const end = at + bytes;
    if (end <= chunk.length) {
      this.#give(chunk.subarray(at, end));
      return end;
    }
    this.#body = Buffer.allocUnsafeSlow(bytes);
    this.#filled = 0;
    return at;
  }

  #readBody(body: Buffer, chunk: Buffer, at: number): number {
    const taken = chunk.copy(body, this.#filled, at);
    this.#filled += taken;
    if (this.#filled === body.length) {
      this.#body = null;
      this.#give(body);
    }
    return at + taken;
  }

  #give(payload: Buffer): void {
    let message: unknown;
    try {
      message = payload[0] === v8Mark ? deserialize(payload) : decodeCompact(payload, 0);
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      this.#broken = new LimpetError('LIMPET_FRAME_BROKEN', { what }, error);
      return;
    }
    this.#message(message);
  }
}
