import type { Socket } from 'node:net';
import { LimpetError } from '@limpet/core';
import { encodeFrame, FrameReader } from './frame.ts';

/** What a link tells its owner. All are called from the event loop, never from within `send`, `dial` or `listen`. */
export interface LinkHandlers<In> {
  /** Connected. With `dial`: at every new connection, too; nothing of an earlier one will come any more. */
  open?(): void;
  /** Messages in the order in which they were sent. */
  message(message: In): void;
  /** The connection is over: null when one of the sides closed it in order. Messages sent last may not have arrived. */
  close?(error: Error | null): void;
}

/** One end of a connection between two processes: messages `In` come, messages `Out` go, whole and in order. */
export interface Link<_In, Out> {
  /**
   * Queues the message; it leaves with everything else sent in the same tick. False when it was dropped: not connected,
   * or too much is waiting, which ends the connection. Throws LIMPET_FRAME_TOO_LARGE and for what cannot be copied.
   */
  send(message: Out): boolean;
  /** Ends the link for good once what was sent is written (at most `lingerMs`). No message is given out any more. */
  close(): void;
  readonly connected: boolean;
  /** Bytes sent that the kernel has not taken yet. */
  readonly queuedBytes: number;
}

/**
 * Bytes that may wait for a slow reader. Higher: longer pauses of the far end are ridden out; lower: less memory for
 * each of them. A reader that far behind is broken, and both ends start over with a new connection.
 */
export const queuedBytesMax = 64 * 1024 * 1024;

/** How long `close` waits for a far end that does not read. */
export const lingerMs = 1000;

/** A link over one connected socket. */
export class SocketLink<In, Out> implements Link<In, Out> {
  readonly #socket: Socket;
  readonly #queuedBytesMax: number;
  #reader: FrameReader | null = null;
  #corked = false;
  #closing = false;
  #ended = false;

  constructor(socket: Socket, queuedMax: number = queuedBytesMax) {
    this.#socket = socket;
    this.#queuedBytesMax = queuedMax;
  }

  /** Begins to read. Apart from the constructor because a listener's handlers are made from the link. */
  start(handlers: LinkHandlers<In>): void {
    // Both ends are Limpet's own and the socket's folder is private (0700): the type is the sender's promise.
    const reader = new FrameReader((message) => handlers.message(message as In));
    this.#reader = reader;
    let failure: Error | null = null;
    this.#socket.on('error', (error) => {
      failure = error;
    });
    this.#socket.on('data', (chunk: Buffer) => this.#read(reader, chunk));
    this.#socket.once('close', () => {
      this.#ended = true;
      if (failure === null && !this.#closing && reader.isInside) {
        failure = new LimpetError('LIMPET_FRAME_BROKEN', { what: 'the connection ended inside a frame' });
      }
      handlers.close?.(this.#closing ? null : failure);
    });
    handlers.open?.();
  }

  get connected(): boolean {
    return !this.#ended && !this.#closing && !this.#socket.destroyed;
  }

  get queuedBytes(): number {
    return this.#ended ? 0 : this.#socket.writableLength;
  }

  send(message: Out): boolean {
    if (!this.connected || !this.#socket.writable) return false;
    const frame = encodeFrame(message);
    const bytes = this.#socket.writableLength + frame.length;
    if (bytes > this.#queuedBytesMax) {
      this.#abort(new LimpetError('LIMPET_LINK_OVERFLOW', { bytes, bytesMax: this.#queuedBytesMax }));
      return false;
    }
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(uncork, this);
    }
    this.#socket.write(frame);
    return true;
  }

  uncork(): void {
    this.#corked = false;
    this.#socket.uncork();
  }

  close(): void {
    if (this.#closing || this.#ended) return;
    this.#closing = true;
    this.#reader?.stop();
    const timer = setTimeout(() => this.#socket.destroy(), lingerMs);
    this.#socket.once('close', () => clearTimeout(timer));
    this.#socket.destroySoon();
  }

  #read(reader: FrameReader, chunk: Buffer): void {
    let handled = false;
    try {
      const broken = reader.feed(chunk);
      handled = true;
      if (broken !== null) this.#abort(broken);
    } finally {
      // The owner's handler threw. Should the process live on, this stream must not: the rest of the chunk is lost.
      if (!handled) this.#abort(new LimpetError('LIMPET_FRAME_BROKEN', { what: 'its receiver failed' }));
    }
  }

  #abort(error: Error): void {
    this.#reader?.stop();
    this.#socket.destroy(error);
  }
}

const uncork = (link: { uncork(): void }): void => link.uncork();
