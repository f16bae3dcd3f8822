import type { IncomingMessage } from 'node:http';
import type { Keyed, RequestId, SessionId } from '@limpet/core';
import type { Engine, Held, Verdict } from './engine.ts';

/** The session layer's part in one request: asked to commit at every commit point. */
export interface Participant {
  /**
   * Commits what the request has touched and differs (P16), and resolves when all of it, read or written, may be shown.
   * `answer`: the whole response when it is complete and small enough for the log, else null.
   */
  reach(answer: Uint8Array | null): Verdict | Promise<Verdict>;
  /** The last byte was accepted by the connection. */
  delivered(): void;
  /**
   * The response is over, whatever became of it: commits what is left so that its id is in the log. `over` is called when the
   * handler is done as well, at once or later.
   */
  end(over: () => void): void;
  /** The session as the request sees it now, null while there is none. */
  held(): Held | null;
}

/** Where a session lives, for an app that shows it to its users. */
export interface Place {
  /** The node that answers for it. */
  readonly node: string | null;
  /** The node with the copy, null when there is none. */
  readonly buddy: string | null;
  readonly version: number;
  /** Of the encoded attributes. */
  readonly bytes: number;
}

/** One request in a worker, made by admission in front of the app and found again by `session()`. */
export interface RequestContext {
  readonly request: RequestId;
  /** The id the balancer verified, null when the request carries none. */
  readonly session: SessionId | null;
  /** Its Idempotency-Key, null without one. */
  readonly keyed: Keyed | null;
  /**
   * Milliseconds that Limpet may still let it wait, for a view, its session and its copies together, until its head is
   * out. Whoever has let it wait takes that off.
   */
  waitLeftMs: number;
  /** Set by `session()`; a request without a participant is never held. */
  participant: Participant | null;
  /** Its response is over, or its connection: no session is given to it any more, the engine counts it as closed. */
  isOver: boolean;
}

/**
 * Where the worker's runtime and the app's own copy of limpet meet: `globalThis[Symbol.for('limpet.runtime')]`.
 * `contract` changes when either side could misunderstand the other.
 */
export interface Runtime {
  readonly contract: 1;
  readonly version: string;
  /** The file it was loaded from, named when two copies meet. */
  readonly path: string;
  readonly node: string | null;
  readonly engine: Engine;
  readonly cookieName: string;
  readonly headerName: string | null;
  /** Whether the session cookie is sent over TLS only; `auto` when absent. */
  readonly secureCookie?: boolean | 'auto';
  /** Null for a request that did not come through admission. */
  contextOf(req: IncomingMessage): RequestContext | null;
  /** Where the session of this request lives, null without one. */
  placement(req: IncomingMessage): Place | null;
  /** Milliseconds since the node last died, null when no death of it is known here. */
  diedAgoMs(node: string): number | null;
}

export const runtimeSymbol: unique symbol = Symbol.for('limpet.runtime') as never;
