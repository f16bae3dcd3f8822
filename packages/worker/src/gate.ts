import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { unreachable } from '@limpet/core';
import type { Participant, RequestContext, Verdict } from '@limpet/session';
import { decideRelease } from './release-rule.ts';
import { injectLines, isInterim, joinPieces, ownResponse, type Piece } from './response-head.ts';

/** Larger answers are not kept for a retry (P2). */
export const answerBytesMax = 64 * 1024;

/** How long a connection that has been answered may still bring the rest of its request. */
const unreadMs = 1_000;

type Done = (error?: Error | null) => void;

/** One request on a connection, and how far its answer has come. */
export interface Exchange {
  readonly context: RequestContext;
  /** Null for an upgrade: its answer is written by hand. */
  readonly response: ServerResponse | null;
  /** The lines for the head, asked when it leaves: the view may have changed since the request came. */
  readonly lines: () => string;
  /** Milliseconds that Limpet may hold each piece once the head is out. */
  readonly pieceWaitMs: number;
  /** Told once for the answer of an upgrade, whose end no ServerResponse tells: its first bytes, about to be written. */
  readonly upgraded?: (head: Buffer) => void;
  /** Told when they are. */
  readonly headPassed?: () => void;
}

/**
 * The release gate of one connection from a balancer (P4): no byte of a response leaves before everything its request
 * has touched is committed and acknowledged. It overrides `_write` and `_writev` of the accepted socket, below
 * ServerResponse, so that `headersSent`, back-pressure, `pipe` and `finish` are Node's own: a held write is a write whose
 * callback has not been called. The balancer never pipelines, so one socket has one response at a time.
 */
export class Gate {
  readonly #socket: Socket;
  #exchange: Exchange | null = null;
  #headOut = false;
  /** Any byte of the final response has left. */
  #released = false;
  /** Limpet has answered instead: whatever the app still writes goes nowhere. */
  #cut = false;
  #rest: Buffer | null = null;

  readonly #hold: () => () => void;

  /** `hold`: told that an answer waits; its result is called when that is over. */
  constructor(socket: Socket, hold: () => () => void = () => () => {}) {
    this.#socket = socket;
    this.#hold = hold;
    socket._write = (chunk, encoding, done) => this.#take([{ chunk, encoding }], done);
    socket._writev = (pieces, done) => this.#take(pieces, done);
  }

  /** The next bytes written are the answer of this request. */
  begin(exchange: Exchange): void {
    this.#exchange = exchange;
    this.#headOut = false;
    this.#released = false;
    this.#rest = null;
  }

  /** Its answer is over; what is written now (Node's own 400) is nobody's. */
  finish(exchange: Exchange): void {
    if (this.#exchange === exchange) this.#exchange = null;
  }

  /** Whether Limpet has answered in the place of the app. */
  get cut(): boolean {
    return this.#cut;
  }

  /** Ends the exchange with bytes that are not the app's, and the connection behind them. */
  answer(bytes: string | Buffer, done: Done = () => {}): void {
    this.#cut = true;
    const request = this.#exchange?.response?.req;
    this.#native([{ chunk: bytes, encoding: 'latin1' }], (error) => {
      done(error);
      this.#closeAfter(request);
    });
  }

  /** Closing with part of the request unread resets the connection, and the balancer might never read the answer. */
  #closeAfter(request: IncomingMessage | undefined): void {
    const close = (): void => void this.#socket.destroy();
    if (request === undefined || request.complete) {
      close();
      return;
    }
    request.once('end', close);
    request.resume();
    setTimeout(close, unreadMs).unref();
  }

  /**
   * The answer of an earlier attempt, as it was written then, with this attempt's echo. It says that the connection ends with
   * it: the balancer would send its next request into the closing.
   */
  replay(exchange: Exchange, answer: Uint8Array, done?: Done): void {
    const stored: Piece = { chunk: Buffer.from(answer.buffer, answer.byteOffset, answer.length), encoding: 'latin1' };
    this.answer(joinPieces(injectLines([stored], `${exchange.lines()}connection: close\r\n`).pieces), done);
  }

  #take(pieces: readonly Piece[], done: Done): void {
    const exchange = this.#exchange;
    if (this.#cut) done();
    else if (exchange === null) this.#native(pieces, done);
    else if (exchange.context.participant === null || (!this.#headOut && isInterim(pieces)))
      this.#release(exchange, pieces, done);
    // `end()` writes first and is ended afterwards: only the next tick knows whether this is all.
    else process.nextTick(() => this.#ask(exchange, pieces, done));
  }

  /** A commit point: everything the request has touched up to here. */
  #ask(exchange: Exchange, pieces: readonly Piece[], done: Done): void {
    const participant = exchange.context.participant;
    if (participant === null || this.#socket.destroyed) {
      this.#release(exchange, pieces, done);
      return;
    }
    const verdict = reach(participant, this.#wholeAnswer(exchange, pieces));
    if (!(verdict instanceof Promise)) {
      this.#obey(exchange, verdict, pieces, done);
      return;
    }
    const { context } = exchange;
    const isHead = !this.#headOut;
    const from = performance.now();
    let open = true;
    const letGo = this.#hold();
    const decide = (found: Verdict): void => {
      if (!open) return;
      open = false;
      clearTimeout(timer);
      if (isHead) context.waitLeftMs -= performance.now() - from;
      this.#obey(exchange, found, pieces, done);
      letGo();
    };
    // The deadline is one of waiting: the app's own work does not count. Once the head is out each piece has its own.
    const waitMs = isHead ? Math.max(0, context.waitLeftMs) : exchange.pieceWaitMs;
    const timer = setTimeout(decide, waitMs, { kind: 'unknown', why: 'deadline' });
    verdict.then(decide, (error: unknown) => decide(refused(error)));
  }

  #obey(exchange: Exchange, verdict: Verdict, pieces: readonly Piece[], done: Done): void {
    const release = decideRelease(verdict, this.#released || this.#rest !== null);
    switch (release.kind) {
      case 'release':
        this.#release(exchange, pieces, done);
        return;
      case 'cut':
        this.#cut = true;
        this.#socket.destroy();
        done();
        return;
      case 'replay':
        this.replay(exchange, release.answer, done);
        return;
      case 'answer':
        this.answer(ownResponse(release.status, exchange.lines(), release.verdict), done);
        return;
      default:
        unreachable(release);
    }
  }

  #release(exchange: Exchange, pieces: readonly Piece[], done: Done): void {
    if (this.#headOut) {
      this.#native(pieces, done);
      return;
    }
    const whole = this.#rest === null ? pieces : [{ chunk: this.#rest, encoding: 'latin1' } as const, ...pieces];
    const injected = injectLines(whole, exchange.lines());
    this.#rest = injected.rest;
    this.#headOut = injected.head;
    this.#released = injected.head;
    const passed = injected.head ? exchange.headPassed : undefined;
    if (passed === undefined) {
      this.#native(injected.pieces, done);
      return;
    }
    this.#stepAside();
    exchange.upgraded?.(joinPieces(injected.pieces));
    this.#native(injected.pieces, (error) => {
      passed();
      done(error);
    });
  }

  /** The bytes of the response when it is complete, small, and nothing of it has left: what a retry can be answered with. */
  #wholeAnswer({ response }: Exchange, pieces: readonly Piece[]): Buffer | null {
    if (response === null || !response.writableEnded || this.#released || this.#rest !== null) return null;
    let units = 0;
    for (const { chunk } of pieces) units += chunk.length;
    // More is queued behind these pieces when the socket counts more than they have.
    if (units > answerBytesMax || this.#socket.writableLength !== units) return null;
    const bytes = joinPieces(pieces);
    return bytes.length > answerBytesMax ? null : bytes;
  }

  /** An upgraded connection speaks its own protocol: after the head nothing is held any more. */
  #stepAside(): void {
    this.#exchange = null;
    this.#socket._write = Socket.prototype._write;
    this.#socket._writev = nativeWritev;
  }

  #native(pieces: readonly Piece[], done: Done): void {
    const [first] = pieces;
    if (first === undefined) {
      done();
      return;
    }
    // Node ends the process when bytes come under the encoding of a string.
    const encoding = typeof first.chunk === 'string' ? first.encoding : ('buffer' as BufferEncoding);
    if (pieces.length === 1) Socket.prototype._write.call(this.#socket, first.chunk, encoding, done);
    else nativeWritev.call(this.#socket, [...pieces], done);
  }
}

/** A commit that fails, instead of ending in a verdict, is a fault of the app's data: this answer is lost, the worker is not. */
function refused(error: unknown): Verdict {
  process.emitWarning(error instanceof Error ? error : String(error));
  return { kind: 'unknown', why: 'handed-over' };
}

function reach(participant: Participant, answer: Buffer | null): Verdict | Promise<Verdict> {
  try {
    return participant.reach(answer);
  } catch (error) {
    return refused(error);
  }
}

type Writev = (this: Socket, pieces: Piece[], done: Done) => void;
const nativeWritev = Socket.prototype._writev as Writev;
