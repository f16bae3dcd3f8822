import type { KeyName, NodeId, RequestId, SessionId } from './ids.ts';
import type { RestoreReport, SaveReport } from './save-reports.ts';
import type { Member, View, ViewNumber } from './view.ts';

/** An attribute's value as the codec encoded it. Never re-serialised on its way: copies are equal byte by byte. */
export type Encoded = Uint8Array;

/** Identifies one committed version. A version made by one incarnation in one view is unique, so equal marks mean equal records. */
export interface Mark {
  readonly version: number;
  /** The view in which the primary committed it. */
  readonly view: ViewNumber;
  readonly by: string;
}

/** What a session's request log remembers of one request (P1, P2, P20). */
export interface LogEntry {
  readonly request: RequestId;
  /** `committed`: its effect is in this record. `carried`: another request's commit published its unfinished changes (P16): never run again, never answered. */
  readonly state: 'committed' | 'carried';
  readonly version: number;
  /** How many commits this request has made: tells a repeated commit from the request's next one. 0 while only carried. */
  readonly commits: number;
  /** The whole response as the worker wrote it (head and body, at most 64 KiB), null when unknown or no longer needed. */
  readonly answer: Uint8Array | null;
  /** Milliseconds since the epoch on the committing machine; only for dropping old entries. */
  readonly at: number;
}

/** The answer of a request with an Idempotency-Key, kept for the key's life (P2). */
export interface KeptAnswer {
  readonly key: KeyName;
  /** Of the request's method, target and body: the same key with another print is another request. */
  readonly print: string;
  readonly request: RequestId;
  /** As in the log. `carried`: never run again, never answered (P16). */
  readonly state: 'committed' | 'carried';
  /** As in the log; null: carried, or committed and the answer was not whole at its commit, is too large, or had to go. */
  readonly answer: Uint8Array | null;
  /** End of the key's life, milliseconds since the epoch. Never after the session's. */
  readonly until: number;
}

/** A whole session, as sent to a member that lacks it. */
export interface SessionRecord {
  readonly id: SessionId;
  readonly mark: Mark;
  readonly attributes: ReadonlyMap<string, Encoded>;
  /** True for a tombstone: the session was destroyed and must not return (P13). */
  readonly deleted: boolean;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Absolute end of life, milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Last use known here, milliseconds since the epoch: what the idle limit counts from (P14). */
  readonly touchedAt: number;
  readonly log: readonly LogEntry[];
  readonly kept: readonly KeptAnswer[];
}

/** Attributes set and removed by one commit. */
export interface Change {
  readonly set: ReadonlyMap<string, Encoded>;
  readonly remove: readonly string[];
}

/** One commit, without the place it takes in the record's history. */
export interface Commit {
  readonly request: RequestId;
  /** Which commit of this request it is, from 1. */
  readonly ordinal: number;
  readonly change: Change;
  readonly destroy: boolean;
  /** Running requests whose unfinished changes it carries (P16). */
  readonly carries: readonly RequestId[];
  readonly answer: Uint8Array | null;
  /** What is known under the request's key, if it has one, and under those of the requests it carries; with `bury` also those of the old id, which go on under the new one. */
  readonly kept: readonly KeptAnswer[];
  /** Set when this commit is the first of a session. */
  readonly create: { readonly createdAt: number; readonly expiresAt: number } | null;
  /** `regenerate` and `renew`: the old id, buried in the same write (P15). Its placement bytes are the same. */
  readonly bury: SessionId | null;
  readonly at: number;
}

/** App loop of one member → copy side (keeper) of another, or of its own process. */
export type ToCopySide =
  | {
      readonly kind: 'write';
      readonly id: SessionId;
      readonly view: ViewNumber;
      readonly previous: Mark;
      readonly mark: Mark;
      /** The mark of the tombstone that `commit.bury` makes in the same write. */
      readonly buried: Mark | null;
      readonly commit: Commit;
      /** Requests logged before that are forgotten (P2). */
      readonly keptFrom: number;
    }
  | {
      readonly kind: 'record';
      readonly view: ViewNumber;
      readonly record: SessionRecord;
      /** Tombstones that the write which made this session has left: all of it is taken, or nothing. */
      readonly buried: readonly SessionRecord[];
    }
  /** `touchedAt`: uses come without a version (P14), so equal marks do not say that the member knows of the last one. */
  | {
      readonly kind: 'digest';
      readonly id: SessionId;
      readonly view: ViewNumber;
      readonly mark: Mark;
      readonly touchedAt: number;
    }
  /** The primary has the session, and so has its whole write set: a copy held for safety need not be held any more (P9). */
  | { readonly kind: 'confirmed'; readonly id: SessionId; readonly view: ViewNumber }
  | { readonly kind: 'delivered'; readonly requests: readonly (readonly [SessionId, RequestId])[] }
  /** When sessions were last used, mostly in a batch; no answer waits for it and none is given (P14). */
  | {
      readonly kind: 'touched';
      readonly sessions: readonly (readonly [SessionId, number])[];
      readonly view: ViewNumber;
    }
  | { readonly kind: 'claim'; readonly id: SessionId; readonly view: ViewNumber }
  | { readonly kind: 'relay'; readonly message: BetweenApps };

/** The first message on a replication link: who dials. Links live in a private folder, so it is believed. */
export interface Introduction {
  readonly kind: 'member';
  readonly node: NodeId;
  readonly incarnation: number;
}

/** App loop → app loop, relayed by the receiver's keeper (P10). */
export type BetweenApps =
  | {
      readonly kind: 'forward';
      readonly id: SessionId;
      readonly view: ViewNumber;
      readonly commit: Commit;
      readonly sequence: number;
      /** The version that the change was made on. */
      readonly base: Mark;
      /** The same of the session that `commit.bury` ends; null when it ends none, or the sender does not hold it. */
      readonly buriedBase: Mark | null;
    }
  | {
      readonly kind: 'confirm';
      readonly id: SessionId;
      readonly view: ViewNumber;
      readonly request: RequestId;
      readonly sequence: number;
    }
  | { readonly kind: 'finished'; readonly id: SessionId; readonly request: RequestId }
  | {
      readonly kind: 'forwarded';
      /** The view in which the sender, its primary, says so. */
      readonly view: ViewNumber;
      readonly sequence: number;
      readonly verdict: 'safe' | 'refused' | 'gone';
      /** The version that a forward has made: what the sender's next one is made on. Null where that is not known. */
      readonly mark: Mark | null;
    };

/** Copy side → app loop of the member that asked, or of its own process. */
export type FromCopySide =
  | { readonly kind: 'ack'; readonly id: SessionId; readonly view: ViewNumber; readonly version: number }
  | { readonly kind: 'need'; readonly id: SessionId; readonly view: ViewNumber }
  | {
      readonly kind: 'claimed';
      readonly id: SessionId;
      readonly view: ViewNumber;
      readonly custody: ViewNumber | null;
      readonly record: SessionRecord | null;
      readonly running: readonly RequestId[];
      /** Nobody can hold more that was acknowledged: the former primary died, and this copy was complete. Said to the own app loop only. */
      readonly heir: boolean;
    }
  | { readonly kind: 'offer'; readonly ids: readonly SessionId[]; readonly view: ViewNumber };

/** Own app loop → own keeper, besides ToCopySide. */
export type ToOwnKeeper =
  /** The app loop has taken a record it was given in answer to a claim: the copy is no longer needed here. */
  | { readonly kind: 'taken'; readonly id: SessionId }
  /** No longer primary: the record becomes a copy. `running`: requests admitted here whose head is not out (P10). */
  | {
      readonly kind: 'demoted';
      readonly id: SessionId;
      readonly view: ViewNumber;
      readonly record: SessionRecord | null;
      readonly running: readonly RequestId[];
    }
  /** Every record of the app loop has been brought to this view. */
  | { readonly kind: 'swept'; readonly view: ViewNumber }
  /** A request listed in `demoted` no longer runs. */
  | { readonly kind: 'finished'; readonly id: SessionId; readonly request: RequestId };

/** Own keeper → own app loop, besides FromCopySide. */
export type FromOwnKeeper =
  /** Someone claims an id that the app loop may still hold: demote it now and answer with `demoted`. */
  | { readonly kind: 'demote'; readonly id: SessionId; readonly view: ViewNumber }
  | { readonly kind: 'relayed'; readonly from: NodeId; readonly message: BetweenApps };

/** How a worker ended, told with the view that removes it. */
export interface Death {
  readonly node: NodeId;
  readonly incarnation: number;
  /**
   * `killed`: a signal from outside (SIGKILL, SIGTERM, …). `self`: uncaught error, exit, abort, out of memory (P21).
   * `unknown`: nobody was there to see it.
   */
  readonly cause: 'killed' | 'self' | 'unknown';
  /** `SIGKILL`, `exit 1`: for people. */
  readonly how: string;
  /** The requests that were running when it died of its own, where it could say so; null when it could not. */
  readonly running: readonly RequestId[] | null;
}

/** Sessions of one primary that the same other members hold. */
export interface Holding {
  /** Addresses (`n2.1`) of the other members that hold these sessions, sorted; none: this primary alone. */
  readonly holders: readonly string[];
  readonly sessions: number;
}

/** What one side of a worker says of the sessions there, so that what goes with it can be counted (loss-ledger.ts). */
export interface CustodyReport {
  /** The view its records had been brought to. */
  readonly view: ViewNumber;
  /** Of the app's loop: the sessions it is primary of, by who else holds them. */
  readonly holdings: readonly Holding[];
  /** Of the keeper: copies that the view made this member primary of, not taken over by its app's loop yet. */
  readonly orphans: number;
  /** Nothing of this had changed for a while when it was said. */
  readonly isSteady: boolean;
}

/** Which part of a process holds the control link. A worker has two: its app loop and its keeper thread (P8). A holder keeps the listening socket open. */
export type ControlRole = 'app' | 'keeper' | 'balancer' | 'holder' | 'command';

/** How a balancer starts a process that inherits the listening socket, for a supervisor that does not have it (P18). */
export interface Program {
  readonly file: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: { readonly [name: string]: string };
  /** The file its output is appended to. */
  readonly log: string;
}

/** Keys and settings a process needs before it serves. Sent over the control socket only: never argv, environment or log. */
export interface Welcome {
  readonly kind: 'welcome';
  /** 16 bytes: ranks placements. The same for as long as the view names the same `keyId`. */
  readonly rankKey: Uint8Array;
  /** 16 bytes each: MACs of session ids. The first signs, all verify. */
  readonly macKeys: readonly Uint8Array[];
  /** 16 bytes: with it this process and a later supervisor prove themselves to each other (P17). */
  readonly proofKey: Uint8Array;
  readonly cookieName: string;
  readonly headerName: string | null;
  readonly store: 'buddy' | 'memory';
  readonly deadlineMs: number;
  readonly idleMs: number;
  readonly absoluteMs: number;
  readonly secureCookie: boolean | 'auto';
  /** Life of an Idempotency-Key's answer, milliseconds; `keyLifeMsDefault` when absent. */
  readonly keyLifeMs?: number;
  /** Routes whose requests may run again after a death, as the operator wrote them (replayable.ts); none when absent. */
  readonly replayable?: readonly string[];
  /** Without a supervisor for so long a process ends itself; 0: never. */
  readonly orphanMs: number;
  /** Worker: the folder that sessions are saved to at a full stop; null or absent: they are not. */
  readonly savedFolder?: string | null;
  /** Balancer: addresses and CIDR blocks whose X-Forwarded-* are believed; none when absent. */
  readonly trustProxy?: readonly string[];
  /** Balancer: what it speaks TLS with; plain HTTP when absent or empty. */
  readonly tls?: readonly CertificateFiles[];
  /** Worker: a failure drill's operations stand in front of the app under this name, which nobody can guess; absent: they do not. */
  readonly drillDoor?: string;
}

/** A certificate, with what it was issued by, and its private key: paths of PEM files. Who asks for its name gets it; the first is everybody else's. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** Supervisor → worker or balancer. */
export type FromSupervisor =
  | Welcome
  /** Views in order, none skipped; the first message holds every view the receiver has not seen (at most 1,000), with the deaths each tells of. */
  | { readonly kind: 'views'; readonly views: readonly View[]; readonly deaths: readonly Death[] }
  /** Every session has its copies in this view and every wanted node is in the ring or given up (`whole`). */
  | { readonly kind: 'settled'; readonly view: ViewNumber; readonly whole: boolean }
  /** To a balancer: these members are suspect now, all others are not (P8). They get no new sessions. */
  | { readonly kind: 'suspects'; readonly members: readonly Pick<Member, 'id' | 'incarnation'>[] }
  /** Answers the greeting of a process that has the keys: `proof` shows that the supervisor has them, too (P17). */
  | { readonly kind: 'challenge'; readonly nonce: Uint8Array; readonly proof: Uint8Array }
  /** To a balancer or a holder: start this program with the listening socket as its descriptor 3. */
  | { readonly kind: 'spawn'; readonly sequence: number; readonly program: Program }
  /** To a balancer: send a probe for a placement whose primary was `node`, report when it is served. */
  | { readonly kind: 'probe'; readonly node: NodeId; readonly sequence: number }
  /** To a keeper, before its first view: take in what these files hold for its place in `view`; answered by `restored`. */
  | { readonly kind: 'restore'; readonly sequence: number; readonly files: readonly string[]; readonly view: View }
  /** To both sides of a worker: write all sessions held to the folder of the welcome within `limitMs`; answered by `saved`. */
  | { readonly kind: 'save'; readonly limitMs: number }
  /** Finish what runs, for at most `graceMs`, then exit 0. A worker closes its WebSockets over `spreadMs` of it (P11). */
  | { readonly kind: 'stop'; readonly graceMs: number; readonly spreadMs?: number }
  | { readonly kind: 'answer'; readonly sequence: number; readonly ok: boolean; readonly body: unknown };

/** Worker or balancer → supervisor. */
export type ToSupervisor =
  | {
      readonly kind: 'hello';
      readonly role: ControlRole;
      readonly name: string;
      readonly incarnation: number;
      readonly pid: number;
      /** The newest view it has: a supervisor may have died before that view was on disk. */
      readonly seen: View | null;
      /** The last view it was told is settled. */
      readonly settled: ViewNumber | null;
      /** Null while it has no keys: it has not been welcomed yet. */
      readonly nonce: Uint8Array | null;
      readonly version: string;
    }
  /** The answer to a challenge; null: the supervisor has other keys. */
  | { readonly kind: 'proof'; readonly proof: Uint8Array | null }
  /** What came of `spawn`; `pid` null: it could not be started, `why` says why. */
  | {
      readonly kind: 'spawned';
      readonly sequence: number;
      readonly pid: number | null;
      readonly why: string;
    }
  /** The app listens. `listening`: other ports of the app and where they went. */
  | { readonly kind: 'ready'; readonly notes: readonly string[] }
  /** Repeated while true (P9): this side is done with the view. */
  | { readonly kind: 'done'; readonly view: ViewNumber }
  | {
      readonly kind: 'stats';
      readonly view: ViewNumber | null;
      readonly primary: number;
      readonly buddy: number;
      /** Sessions with fewer copies than asked for. */
      readonly unprotected: number;
      /** App's loop: sessions that some member of their write set has not got yet. */
      readonly uncopied: number;
      readonly inFlight: number;
      readonly promoted: number;
      readonly bytes: number;
      /** Sessions that users asked for, with an id once given out, and that no member held any more. */
      readonly unheld: number;
    }
  | (CustodyReport & { readonly kind: 'custody' })
  /** Of a keeper, every `beatMs` (P8): its process runs. `turns` changes while the app's loop comes round. `inspected`: a debugger is open. */
  | { readonly kind: 'beat'; readonly turns: number; readonly inspected: boolean }
  | { readonly kind: 'restored'; readonly sequence: number; readonly report: RestoreReport }
  | { readonly kind: 'saved'; readonly report: SaveReport }
  /** A balancer saw a connection to this member end: look at it now (P7). */
  | { readonly kind: 'reset'; readonly node: NodeId; readonly incarnation: number }
  | { readonly kind: 'probed'; readonly sequence: number; readonly ok: boolean }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'ask'; readonly sequence: number; readonly question: string; readonly body: unknown };
