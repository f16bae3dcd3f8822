import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { lingerMs } from './limits.ts';
import type { Page } from './page.ts';

/** Where an answer goes: a client, or the balancer's own probe. */
export interface Downstream {
  readonly isGone: boolean;
  /** Called once when the client leaves before its answer is complete. */
  onGone: (() => void) | null;
  /** Called whenever a refused write may go on. */
  onDrain: (() => void) | null;
  interim(status: number, lines: readonly string[]): void;
  /** `isUntilClose`: the end of the connection is the end of the body, and nothing else may say that it is whole. */
  head(status: number, statusText: string, lines: readonly string[], isUntilClose?: boolean): void;
  /** The head goes out although no body has come yet: it may take a while (event streams, long polls). */
  flush(): void;
  /** False: wait for `onDrain`. */
  write(chunk: Buffer): boolean;
  end(): void;
  /** Ends an answer that has begun so that the client sees that it is incomplete. */
  cut(): void;
}

/** A client's connection as node:http shows it. */
export class ClientDownstream implements Downstream {
  onGone: (() => void) | null = null;
  onDrain: (() => void) | null = null;
  isGone = false;
  /** The connection ends with this answer, and nothing that comes after its request is served. */
  isLast = false;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #hasBody = false;
  #finish: (() => void) | null = null;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
    response.on('drain', () => this.onDrain?.());
    response.on('close', () => {
      if (response.writableFinished) return;
      this.isGone = true;
      this.onGone?.();
    });
    // A write after the client's reset; 'close' follows and tells.
    response.on('error', () => {});
  }

  interim(status: number, lines: readonly string[]): void {
    // HTTP/1.0 knows no interim answers (RFC 9110 §15.2).
    if (this.#request.httpVersion !== '1.1' || this.#response.headersSent) return;
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
    for (let at = 0; at + 1 < lines.length; at += 2) head += `${lines[at]}: ${lines[at + 1]}\r\n`;
    // Not by writeEarlyHints(): it throws on links that it does not understand, and knows no other interim status.
    this.#response.socket?.write(`${head}\r\n`, 'latin1');
  }

  head(status: number, statusText: string, lines: readonly string[], isUntilClose = false): void {
    // A connection is not kept for HTTP/1.0: who speaks it may be a proxy that hands it on (RFC 9112 §9.3, C.2.2).
    this.isLast ||= !this.#request.complete || this.#request.httpVersion !== '1.1' || isUntilClose;
    if (isUntilClose) this.#response.useChunkedEncodingByDefault = false;
    const all = this.isLast ? [...lines, 'Connection', 'close'] : [...lines];
    if (statusText === '') this.#response.writeHead(status, all);
    else this.#response.writeHead(status, statusText, all);
  }

  flush(): void {
    // A turn later: a body that came with the head goes out in one piece with it.
    setImmediate(() => {
      if (!this.#hasBody && !this.isGone && !this.#response.writableEnded) this.#response.flushHeaders();
    });
  }

  write(chunk: Buffer): boolean {
    this.#hasBody = true;
    return this.isGone || this.#response.write(chunk);
  }

  end(): void {
    if (this.#request.complete || this.isGone) {
      this.#response.end();
      return;
    }
    // An early answer: closing now would reset the connection before the client, still sending, has read it
    // (RFC 9112 §9.6). What it sends is thrown away for a while first.
    this.#response.flushHeaders();
    const finish = () => {
      clearTimeout(timer);
      this.#finish = null;
      this.#response.end();
    };
    const timer = setTimeout(finish, lingerMs);
    this.#finish = finish;
    this.#request.once('end', finish);
    this.#request.once('close', finish);
    this.#request.resume();
  }

  /** Ends an answer that is whole and only waits for the rest of its request. False: there is none. */
  finishLingering(): boolean {
    this.#finish?.();
    return this.#response.writableEnded;
  }

  cut(): void {
    this.#response.socket?.destroy();
    this.#response.destroy();
  }
}

/** Sends a whole page. */
export function sendPage(downstream: Downstream, page: Page, isHead: boolean): void {
  downstream.head(page.status, '', page.lines);
  if (!isHead) downstream.write(page.body);
  downstream.end();
}
