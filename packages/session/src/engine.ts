import type {
  Carried,
  Change,
  Encoded,
  KeptAnswer,
  Keyed,
  KeyName,
  LogEntry,
  Mark,
  RequestId,
  SessionId,
} from '@limpet/core';

/**
 * A session as its primary holds it: encoded attributes as last committed. One object per session and process, shared
 * by all requests of that session; `live` belongs to the session layer and holds the decoded values they share (P16).
 */
export interface Held {
  readonly id: SessionId;
  readonly mark: Mark;
  readonly attributes: ReadonlyMap<string, Encoded>;
  readonly deleted: boolean;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly expiresAt: number;
  live: unknown;
}

/** How a commit, or the wait for one, ended. Only `safe` lets a response leave (P4). */
export type Verdict =
  | { readonly kind: 'safe' }
  /** Destroyed or regenerated meanwhile: 409 when the request had written (P16). */
  | { readonly kind: 'gone' }
  /** The session could not be loaded, in time or at this node: nothing has run on it. */
  | { readonly kind: 'unloaded'; readonly why: 'deadline' | 'moved' }
  /** Cannot be known in time, or no longer ours to commit: 504 or 502 `unknown`. */
  | { readonly kind: 'unknown'; readonly why: 'deadline' | 'handed-over' }
  /** Another attempt of the same request has committed: its answer, when it is known (P2). */
  | { readonly kind: 'duplicate'; readonly answer: Uint8Array | null };

export interface CommitInput {
  readonly change: Change;
  readonly destroy: boolean;
  readonly carries: readonly Carried[];
  readonly answer: Uint8Array | null;
  /** The request's Idempotency-Key: the answer is kept under it, and a second request with it commits nothing. */
  readonly keyed: Keyed | null;
  /** The id buried by the same write: `regenerate`, `renew`. */
  readonly bury: SessionId | null;
}

/** What a session remembers of a request that has come again: under its id, and under its Idempotency-Key. */
export interface Recalled {
  readonly entry: LogEntry | null;
  readonly kept: KeptAnswer | null;
}

/**
 * What the session layer needs of whoever keeps sessions. Two implementations pass one compliance suite: the memory
 * engine (one process, one copy) and the replicated engine of a worker.
 */
export interface Engine {
  /** A new id whose home is this node; with `kin`, one that keeps its placement (P15). */
  mint(kin: SessionId | null): SessionId;
  /** The id spelled by `text` when its MAC is right, else null. */
  parse(text: string): SessionId | null;
  /**
   * The session, or null when there is none (unknown, expired or destroyed). At once when it is held here, else after
   * a claim (P6), for which `waitMs` are waited at most. Rejects with LIMPET_DEADLINE. `request` counts as running here until `close`.
   */
  open(id: SessionId, request: RequestId, waitMs?: number): Held | null | Promise<Held | null>;
  /** A new session, not committed yet: nobody else sees it before its first commit. */
  create(id: SessionId, request: RequestId): Held;
  /**
   * Makes one version out of `input` in this very step; the verdict comes when it is safe. An empty change still logs the
   * request. A running request may commit several times; `duplicate` is for a request the log knew before it was opened,
   * and for one whose key another request has committed under.
   * `held.attributes` holds the change, by the same byte arrays, when this returns, unless it returned any other
   * verdict than `safe`.
   */
  commit(held: Held, request: RequestId, input: CommitInput): Verdict | Promise<Verdict>;
  /** Resolves once everything committed so far on `held` is safe: what gates a read. */
  safe(held: Held, request: RequestId): Verdict | Promise<Verdict>;
  /** What the session's log remembers of the request, asked before a retried handler runs. */
  logged(held: Held, request: RequestId): LogEntry | null;
  /**
   * The same, and what is kept under the key, for an id that may have ended: `open` finds no buried or destroyed session, and
   * yet a retry of the request that ended it has its answer there (P15).
   */
  recall(id: SessionId, request: RequestId, key: KeyName | null): Recalled | Promise<Recalled>;
  /** The kernel has accepted the last byte of the answer: it need not be kept (P2). */
  delivered(held: Held, request: RequestId): void;
  /** Extends the idle limit. */
  touch(held: Held): void;
  /** The request no longer runs here. */
  close(id: SessionId, request: RequestId): void;
}
