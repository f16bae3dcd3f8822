import { write } from 'node:fs';

/** Text that waits for a reader; beyond it lines are dropped, and the next one says how many. */
const waitingBytesMax = 4 * 1024 * 1024;
const pieceBytesMax = 64 * 1024;
/** Between two tries when a pipe that does not block is full. */
const retryMs = 20;
/** At the end a reader that stands still is waited for no longer. */
const flushMs = 1000;

/**
 * Writes lines to a descriptor without ever blocking this process: a terminal stopped by Ctrl-S, or a pipe that nobody
 * reads, blocks `process.stdout`, and with it the supervisor's eye on its workers. One write is under way at a time,
 * so lines keep their order.
 */
export class LineWriter {
  readonly #fd: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #isWriting = false;
  #isGone = false;
  #onIdle: (() => void) | null = null;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Takes text that ends with a line break. The shape that pino expects of its destination. */
  write(text: string): void {
    if (this.#isGone) return;
    const bytes = Buffer.from(text);
    if (this.#waitingBytes + bytes.length > waitingBytesMax) {
      this.#dropped += 1;
      return;
    }
    if (this.#dropped > 0) {
      const note = Buffer.from(`${JSON.stringify({ level: 'warn', msg: `${this.#dropped} lines were dropped` })}\n`);
      this.#dropped = 0;
      this.#push(note);
    }
    this.#push(bytes);
    this.#pump();
  }

  /** Resolves when everything has been written, or after a second. */
  flush(): Promise<void> {
    if (!this.#isWriting) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, flushMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #push(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  #pump(): void {
    if (this.#isWriting) return;
    const piece = this.#take();
    if (piece === null) {
      this.#onIdle?.();
      return;
    }
    this.#isWriting = true;
    this.#write(piece);
  }

  #write(piece: Buffer): void {
    write(this.#fd, piece, 0, piece.length, null, (error, written) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(() => this.#write(piece), retryMs);
        return;
      }
      // Whoever read it is gone (EPIPE), or the terminal was closed (EIO): the cluster goes on without. After any other
      // error, such as a full disk, only this piece is lost.
      if (error?.code === 'EPIPE' || error?.code === 'EIO') this.#giveUp();
      else if (error === null && written < piece.length) return this.#write(piece.subarray(written));
      this.#isWriting = false;
      this.#pump();
    });
  }

  #giveUp(): void {
    this.#isGone = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #take(): Buffer | null {
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && (count === 0 || bytes < pieceBytesMax)) {
      bytes += this.#waiting[count]?.length ?? 0;
      count += 1;
    }
    if (count === 0) return null;
    this.#waitingBytes -= bytes;
    return Buffer.concat(this.#waiting.splice(0, count), bytes);
  }
}
