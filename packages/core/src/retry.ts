import type { Outcome } from './headers.ts';
import type { RequestId } from './ids.ts';
import type { Death, KeptAnswer, LogEntry } from './messages.ts';
import { unreachable } from './unreachable.ts';

/**
 * P20 and P21: what follows an attempt, as values. The one place where retries are decided: the balancer asks
 * `decideNext`, the worker that is given a request again asks `decideRetried`.
 */

/** Methods without effect on the server (RFC 9110 §9.2.1 and the method registry). */
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'REPORT', 'SEARCH']);
/** Methods whose repetition has the effect of one (RFC 9110 §9.2.2), beyond the safe ones. */
const repeatableMethods = new Set(['PUT', 'DELETE']);

/** Whether the method changes nothing on the server. */
export const isSafe = (method: string): boolean => safeMethods.has(method);

/** Whether running the method twice is as good as once. */
export const isIdempotent = (method: string): boolean => safeMethods.has(method) || repeatableMethods.has(method);

/** What an earlier attempt brought back. A head proves that its handler ran. */
export type Prior = 'nothing' | 'head';

/** Re-routes after 421, each after a refresh (P19). */
export const reroutesMax = 3;
/**
 * Worker deaths of one kind, its own perhaps or certainly somebody's, that one request may see (P21). A request that ends
 * its workers does so in one way: a crash that it was among and a kill from outside are not both its doing.
 */
export const deathsMax = 2;
/** Attempts that reached a worker. Above it the world is too unquiet to go on. */
export const attemptsMax = 6;

/** How the last attempt ended. */
export type AttemptEnd =
  /** No byte was accepted by the kernel: connection refused, no socket. */
  | { readonly kind: 'unsent' }
  /** 421: the worker said that nothing ran. */
  | { readonly kind: 'refused' }
  /** The connection broke and a view has removed the worker since. */
  | { readonly kind: 'died'; readonly back: 'nothing' | 'head' | 'part'; readonly suspicion: Suspicion }
  /** The connection broke, the worker is still a member. */
  | { readonly kind: 'reset'; readonly back: 'nothing' | 'head' | 'part' }
  /** No first byte within the response timeout. */
  | { readonly kind: 'late' }
  /** An answer that is not this request's, or no HTTP. */
  | { readonly kind: 'malformed' };

/** A request after an attempt that brought no answer to relay. */
export interface Attempted {
  readonly method: string;
  /** The client, by an Idempotency-Key, or the operator, by a route, has said that it may run again after a death. */
  readonly declared: boolean;
  /** With a session id the new primary's log is asked before anything runs, so every method may be sent there. */
  readonly hasSession: boolean;
  /** The whole body is at hand. */
  readonly replayable: boolean;
  /** A byte of the answer has gone to the client. */
  readonly out: boolean;
  readonly end: AttemptEnd;
  /** Attempts so far that a worker may have run, this one included when something was sent. */
  readonly attempts: number;
  /** 421s so far, this one included. */
  readonly reroutes: number;
  /** Workers that died under this request so far, this one included. */
  readonly deaths: number;
  /** Those of them that it may have ended, by what is known of their deaths. */
  readonly suspected: number;
  /** Those of them that it certainly did not end. The rest may be either. */
  readonly cleared: number;
  /** What earlier attempts left behind; null when certainly nothing has run before this one. */
  readonly prior: Prior | null;
}

/** What to do next. */
export type Next =
  /** Part of an answer is out: end it so that the client sees that it is incomplete. */
  | { readonly kind: 'cut' }
  | {
      readonly kind: 'again';
      readonly prior: Prior | null;
      /** Only a newer view can change the result: wait for one first. */
      readonly refresh: boolean;
      /** A suspect: one at a time, and only while the cluster is settled and whole (P21). */
      readonly serial: boolean;
    }
  | {
      readonly kind: 'answer';
      readonly outcome: Outcome;
      readonly status: 502 | 503 | 504;
      /** Certain to have ended a worker: its route is watched and its answer held back until the cluster is whole. */
      readonly culprit: boolean;
    };

/** P20 and P21, row by row. */
export function decideNext(attempted: Attempted): Next {
  const { end, prior } = attempted;
  if (attempted.out) return { kind: 'cut' };
  switch (end.kind) {
    case 'unsent':
      return attempted.replayable ? again(prior, { refresh: false }) : answer(prior);
    case 'refused':
      return attempted.replayable && attempted.reroutes <= reroutesMax
        ? again(prior, { refresh: true })
        : answer(prior);
    case 'died': {
      const seen = stronger(prior, end.back === 'nothing' ? 'nothing' : 'head');
      const isSuspect = isAccusing(end.suspicion);
      if (isSuspect && (end.suspicion === 'alone' || attempted.suspected >= deathsMax)) return answer(seen, true);
      if (mostOfAKind(attempted) >= deathsMax || !mayRepeat(attempted)) return answer(seen);
      return again(seen, { refresh: false, serial: attempted.suspected > 0 });
    }
    case 'reset': {
      // The worker lives and may still be running it: its log cannot know yet. Only what may run
      // twice is sent again, once: what was declared may run again after a death, never beside itself.
      const seen = stronger(prior, end.back === 'nothing' ? 'nothing' : 'head');
      const mayRun = attempted.replayable && isIdempotent(attempted.method) && prior === null;
      return mayRun ? again(seen, { refresh: false }) : answer(seen);
    }
    case 'late':
      return { kind: 'answer', outcome: 'unknown', status: 504, culprit: false };
    case 'malformed':
      return answer(stronger(prior, 'nothing'));
    default:
      return unreachable(end);
  }
}

/** A death of which nothing is known counts as both kinds. */
const mostOfAKind = ({ deaths, suspected, cleared }: Attempted): number =>
  Math.max(deaths - cleared, deaths - suspected);

const mayRepeat = (attempted: Attempted): boolean =>
  attempted.replayable && attempted.attempts < attemptsMax && (attempted.hasSession || mayRunAgain(attempted));

const mayRunAgain = ({ method, declared }: Pick<Attempted, 'method' | 'declared'>): boolean =>
  declared || isIdempotent(method);

const again = (prior: Prior | null, how: { refresh: boolean; serial?: boolean }): Next => ({
  kind: 'again',
  prior,
  refresh: how.refresh,
  serial: how.serial ?? false,
});

const answer = (prior: Prior | null, culprit = false): Next => ({ kind: 'answer', ...decideOutcome(prior), culprit });

const stronger = (a: Prior | null, b: Prior): Prior => (a === 'head' ? 'head' : b);

/** What the client learns when no further attempt is made: nothing ran, cannot be known, or ran and its answer is lost. */
export function decideOutcome(prior: Prior | null): { readonly outcome: Outcome; readonly status: 502 | 503 } {
  if (prior === null) return { outcome: 'not-executed', status: 503 };
  return { outcome: prior === 'head' ? 'executed' : 'unknown', status: 502 };
}

/**
 * How far a request is suspected of its worker's death. `alone`: nothing else ran there. `among`: one of several.
 * `none`: the worker was killed from outside, or named the running requests and this was not one of them. `unsure`: nobody
 * knows how it died; whoever is blamed for what it did not do is refused to its user.
 */
export type Suspicion = 'none' | 'unsure' | 'among' | 'alone';

/** Whether a death of this kind counts against the request. */
export const isAccusing = (suspicion: Suspicion): boolean => suspicion === 'among' || suspicion === 'alone';

/** P21: the suspicion against a request that was in flight to a worker when it died. */
export function decideSuspicion(death: Death | null, request: RequestId, inFlight: number): Suspicion {
  if (death === null || death.cause === 'unknown') return 'unsure';
  if (death.cause === 'killed') return 'none';
  if (death.running === null) return inFlight > 1 ? 'among' : 'alone';
  if (!death.running.includes(request)) return 'none';
  return death.running.length > 1 ? 'among' : 'alone';
}

/** What a worker does with a request that an earlier attempt may have run: its stored answer, a verdict, or the handler. */
export type Retried = 'answer' | 'executed' | 'run' | 'unknown';

/** P1 and P20 at the worker, asked before the handler runs: `entry` is what the session's log knows of the request id. */
export function decideRetried(
  entry: LogEntry | null,
  request: Pick<Attempted, 'method' | 'declared'>,
  prior: Prior,
): Retried {
  if (entry !== null) {
    if (entry.answer !== null) return 'answer';
    // A carried request's changes were published half-way by another's commit: running it again would double them (P16).
    return entry.state === 'carried' ? 'unknown' : 'executed';
  }
  if (mayRunAgain(request)) return 'run';
  return prior === 'head' ? 'executed' : 'unknown';
}

/** What a worker does with a request whose Idempotency-Key its session knows. `reused`: the key was another request's. */
export type Repeated = 'answer' | 'executed' | 'unknown' | 'reused';

/** P2 at the worker: `print` is that of the request that has come. */
export function decideRepeated(kept: KeptAnswer, print: string): Repeated {
  if (kept.print !== print) return 'reused';
  if (kept.answer !== null) return 'answer';
  return kept.state === 'carried' ? 'unknown' : 'executed';
}
