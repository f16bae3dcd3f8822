import { Socket } from 'node:net';
import { OutgoingFrames } from './outgoing-frames.ts';
import { joinPieces, type Piece } from './response-head.ts';

/** A close frame with code 1001, "going away" (RFC 6455, 7.4.1): clients connect anew, to another node. */
const goingAway = Buffer.from([0x88, 0x02, 0x03, 0xe9]);
/** What a client gets to answer the close frame, before its connection is cut. */
const closeMs = 2_000;

type Done = (error?: Error | null) => void;
type Writev = (this: Socket, pieces: Piece[], done: Done) => void;
const { _write: nativeWrite } = Socket.prototype;
const nativeWritev = Socket.prototype._writev as Writev;

/**
 * The WebSockets that are open here. An app's library knows how to close its own, but no app expects that its node is
 * drained; so the close frame is put between two frames of the app, and the rest is the protocol's: the client answers,
 * the app's library sees that answer as it would a client's own close, and ends the connection.
 */
export class WebSockets {
  readonly #open = new Set<WebSocketEnd>();
  readonly #waiting = new Set<() => void>();

  get size(): number {
    return this.#open.size;
  }

  /** From now on `socket` speaks WebSocket. `head`: what the app writes first, its 101. */
  follow(socket: Socket, head: Buffer): void {
    if (!head.toString('latin1', 0, 12).endsWith(' 101')) return;
    const end = new WebSocketEnd(socket, head);
    this.#open.add(end);
    socket.once('close', () => {
      this.#open.delete(end);
      if (this.#open.size > 0) return;
      for (const resolve of this.#waiting) resolve();
      this.#waiting.clear();
    });
  }

  /** Closes them one by one, evenly over `spreadMs`, so that not all clients come anew at once. Resolves when none is open. */
  async closeAll(spreadMs: number): Promise<void> {
    const ends = [...this.#open];
    for (const [i, end] of ends.entries()) setTimeout(() => end.goAway(), (spreadMs * i) / ends.length);
    if (this.#open.size > 0) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }
}

class WebSocketEnd {
  readonly #socket: Socket;
  readonly #frames = new OutgoingFrames();
  #isLeaving = false;
  /** Our close frame is out: no frame may follow it. */
  #isOver = false;

  constructor(socket: Socket, head: Buffer) {
    this.#socket = socket;
    this.#frames.feed(head);
    socket._write = (chunk, encoding, done) => this.#take([{ chunk, encoding }], done);
    socket._writev = (pieces, done) => this.#take(pieces as Piece[], done);
  }

  goAway(): void {
    if (this.#isLeaving || this.#socket.destroyed) return;
    this.#isLeaving = true;
    setTimeout(() => this.#socket.destroy(), closeMs);
    this.#tryClose();
  }

  #take(pieces: Piece[], done: Done): void {
    if (this.#isOver) {
      done();
      return;
    }
    this.#frames.feed(joinPieces(pieces));
    const [first] = pieces;
    const written: Done = (error) => {
      done(error);
      if (this.#isLeaving) this.#tryClose();
    };
    if (pieces.length === 1 && first !== undefined) {
      // Node ends the process when bytes come under the encoding of a string.
      const encoding = typeof first.chunk === 'string' ? first.encoding : ('buffer' as BufferEncoding);
      nativeWrite.call(this.#socket, first.chunk, encoding, written);
    } else nativeWritev.call(this.#socket, pieces, written);
  }

  /** Behind whatever the app has queued: the stream keeps the order of writes. */
  #tryClose(): void {
    if (this.#isOver || this.#frames.isClosed || !this.#frames.isBetween || this.#socket.writableLength > 0) return;
    this.#isOver = true;
    nativeWrite.call(this.#socket, goingAway, 'buffer' as BufferEncoding, () => {});
  }
}
