import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { replayBytesMax } from './limits.ts';
import type { Framing } from './request-head.ts';

/** A request's body as far as it has been read. */
export type Body =
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  /** Longer than can be sent twice: `prefix` is at hand, the rest is still with the client. */
  | {
      readonly kind: 'long';
      readonly prefix: Buffer;
      readonly request: IncomingMessage;
      readonly length: number | null;
    }
  | { readonly kind: 'broken' };

export const emptyBody: Body = { kind: 'whole', bytes: Buffer.alloc(0) };

/** Reads a body up to what can be replayed (64 KiB); a longer one is left paused where that was reached. */
export function readBody(request: IncomingMessage, framing: Framing): Promise<Body> {
  if (framing.kind === 'none') {
    // A 'none' with bytes after it is the next request; the parser sees to that.
    request.resume();
    return Promise.resolve(emptyBody);
  }
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const finish = (body: Body) => {
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      // A late parse error may still come and must not be uncaught.
      request.on('error', () => {});
      resolve(body);
    };
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes <= replayBytesMax) return;
      request.pause();
      const length = framing.kind === 'length' ? framing.bytes : null;
      finish({ kind: 'long', prefix: Buffer.concat(chunks), request, length });
    };
    const onEnd = () => finish({ kind: 'whole', bytes: Buffer.concat(chunks) });
    const onClose = () => finish({ kind: 'broken' });
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

/**
 * The body of one attempt at a long request: what is at hand at once, the rest of the client's once `admit` is called,
 * no faster than the worker takes it. Destroying it leaves the request as it is, so that another attempt can be made
 * while nothing beyond the prefix has been read.
 */
export class Upload extends Readable {
  readonly #request: IncomingMessage;
  #prefix: Buffer | null;
  #isAdmitted = false;
  #isWanted = false;
  #isFlowing = false;
  readonly #onProgress: () => void;

  constructor(body: Extract<Body, { kind: 'long' }>, onProgress: () => void) {
    super();
    this.#request = body.request;
    this.#prefix = body.prefix;
    this.#onProgress = onProgress;
  }

  /** The worker runs the request: the rest may come, and it cannot be sent again. */
  admit(): void {
    this.#isAdmitted = true;
    if (this.#isWanted) this.#flow();
  }

  override _read(): void {
    this.#onProgress();
    if (this.#prefix !== null) {
      const prefix = this.#prefix;
      this.#prefix = null;
      this.push(prefix);
      return;
    }
    this.#isWanted = true;
    if (this.#isAdmitted) this.#flow();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#request.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose);
    // Someone else may want the rest: an answer that came early, or nobody.
    if (this.#isFlowing) this.#request.pause();
    callback(error);
  }

  #flow(): void {
    if (!this.#isFlowing) {
      this.#isFlowing = true;
      this.#request.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose);
      if (this.#request.readableEnded) this.push(null);
      else if (this.#request.destroyed) this.#onClose();
    }
    this.#request.resume();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#onProgress();
    if (!this.push(chunk)) this.#request.pause();
  };

  readonly #onEnd = (): void => {
    this.push(null);
  };

  readonly #onClose = (): void => {
    if (!this.#request.readableEnded) this.destroy(new Error('the client ended its request early'));
  };
}
