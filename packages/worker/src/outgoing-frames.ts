/** Bytes of a frame's head at most: two, a length of eight, a mask of four (RFC 6455, 5.2). */
const frameHeadMax = 14;
const headEnd = Buffer.from('\r\n\r\n');

/**
 * Follows what an app writes into an upgraded connection, from its 101 on, only as far as to know where frames begin and
 * end: a control frame of our own may stand between two of them, never inside one.
 */
export class OutgoingFrames {
  /** Bytes of the end of the HTTP head seen so far; 4: the head is over. */
  #headSeen = 0;
  readonly #frameHead = Buffer.alloc(frameHeadMax);
  #frameHeadSize = 0;
  #payloadLeft = 0;
  #closed = false;

  /** Whether a frame may begin here. */
  get isBetween(): boolean {
    return this.#headSeen === headEnd.length && this.#frameHeadSize === 0 && this.#payloadLeft === 0;
  }

  /** The app has sent its own close frame. */
  get isClosed(): boolean {
    return this.#closed;
  }

  feed(bytes: Buffer): void {
    let at = this.#skipHead(bytes);
    while (at < bytes.length) {
      if (this.#payloadLeft > 0) {
        const skipped = Math.min(this.#payloadLeft, bytes.length - at);
        this.#payloadLeft -= skipped;
        at += skipped;
        continue;
      }
      this.#frameHead[this.#frameHeadSize++] = bytes[at++] ?? 0;
      this.#endFrameHead();
    }
  }

  #skipHead(bytes: Buffer): number {
    let at = 0;
    for (; at < bytes.length && this.#headSeen < headEnd.length; at++) {
      if (bytes[at] === headEnd[this.#headSeen]) this.#headSeen += 1;
      else this.#headSeen = bytes[at] === headEnd[0] ? 1 : 0;
    }
    return at;
  }

  #endFrameHead(): void {
    const head = this.#frameHead;
    const [first = 0, second = 0] = head;
    const shortLength = second & 0x7f;
    const lengthSize = shortLength === 126 ? 2 : shortLength === 127 ? 8 : 0;
    const maskSize = (second & 0x80) === 0 ? 0 : 4;
    if (this.#frameHeadSize < 2 || this.#frameHeadSize < 2 + lengthSize + maskSize) return;
    if (lengthSize === 0) this.#payloadLeft = shortLength;
    else this.#payloadLeft = lengthSize === 2 ? head.readUInt16BE(2) : Number(head.readBigUInt64BE(2));
    if ((first & 0x0f) === 0x8) this.#closed = true;
    this.#frameHeadSize = 0;
  }
}
