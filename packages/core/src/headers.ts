/**
 * Headers between balancer and worker. They are the last ones of a request's head; a client's own are refused or
 * removed, the app never sees them, and the balancer never lets one out.
 */
export const internalPrefix = 'limpet-';

export const internalHeaders = {
  /** Request id; echoed by the worker on every final response, else the balancer refuses the answer. */
  request: 'limpet-request',
  /** View number of the sender (`term.number`), both ways. */
  view: 'limpet-view',
  /** 1, 2, 3: which attempt of this request. Above 1 the request log is asked before the handler runs (P1). */
  attempt: 'limpet-attempt',
  /** What an earlier attempt brought back: `nothing` or `head` (P20). Absent on the first attempt. */
  prior: 'limpet-prior',
  /** The session id the balancer found and verified, absent when there is none. The worker's app uses this one. */
  session: 'limpet-session',
  /** Digests of the Idempotency-Key and of the request it came with (idempotency-key.ts). Absent without a key. */
  key: 'limpet-key',
  /** Milliseconds that Limpet may still add to this request (claims, acknowledgements, views). */
  deadline: 'limpet-deadline',
  /** `1`: the worker answers 102 once it has admitted the request; until then the body is held back (P20). */
  admit: 'limpet-admit',
  /** `1`: the supervisor's own probe, answered by the worker with 204 in front of the app. */
  probe: 'limpet-probe',
  /** On a response made by Limpet in the worker instead of the app: an Outcome, or `reused`. Never let out under this name. */
  verdict: 'limpet-verdict',
} as const;

/** What a client learns when Limpet, not the app, answered: the one public header, `Limpet-Outcome`. */
export const outcomeHeader = 'limpet-outcome';

/**
 * `not-executed`: certain that nothing ran, 503 with Retry-After. `unknown`: cannot be known, 502 (worker died) or 504
 * (deadline). `executed`: it ran and its answer is lost, 502. `gone`: the session ended while the request ran, 409.
 * `running`: an earlier request with the same Idempotency-Key still runs, 409.
 */
export type Outcome = 'not-executed' | 'unknown' | 'executed' | 'gone' | 'running';

/** What a worker says in the place of its app. `reused`: this Idempotency-Key was another request's, nothing was executed, 422. */
export type WorkerVerdict = Outcome | 'reused';
