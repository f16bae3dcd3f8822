import {
  decideRepeated,
  decideRetried,
  isReplayable,
  LimpetError,
  type NodeId,
  type Prior,
  type Rank,
  type Repeated,
  type ReplayableRoute,
  type Retried,
  unreachable,
  type ViewNumber,
} from '@limpet/core';
import type { Engine, Recalled, RequestContext } from '@limpet/session';
import { decideAdmission } from './admission-rule.ts';
import { AnswerKeeper } from './answer-keeper.ts';
import { KeyTurns } from './key-turns.ts';
import type { Running } from './running.ts';
import type { ViewFeed } from './view-feed.ts';

export interface ReceptionOptions {
  readonly node: NodeId;
  readonly incarnation: number;
  readonly views: ViewFeed;
  readonly engine: Engine;
  readonly rank: Rank;
  readonly running: Running;
  /** Requests of these routes may run again after a death. */
  readonly replayable: readonly ReplayableRoute[];
}

/** What Limpet itself answers, and what that says about the request; null: it is a probe, and served. */
export type OwnAnswer =
  | { readonly status: 204; readonly verdict: null }
  | { readonly status: 421 | 503; readonly verdict: 'not-executed' }
  | { readonly status: 502; readonly verdict: 'executed' | 'unknown' }
  | { readonly status: 504; readonly verdict: 'unknown' }
  | { readonly status: 409; readonly verdict: 'running' }
  | { readonly status: 422; readonly verdict: 'reused' };

/** One request at the door, and what can become of it. */
export interface Visit {
  readonly context: RequestContext;
  readonly method: string;
  readonly target: string;
  /** The view the balancer routed by. */
  readonly view: ViewNumber;
  readonly attempt: number;
  /** What earlier attempts left behind; null: certain that nothing of it has run anywhere. */
  readonly prior: Prior | null;
  readonly isProbe: boolean;
  /** Nobody waits for an answer any more. */
  readonly isGone: () => boolean;
  /** To the app. */
  readonly proceed: () => void;
  readonly replay: (answer: Uint8Array) => void;
  readonly answer: (answer: OwnAnswer) => void;
}

/**
 * Decides what becomes of a request before the app sees it, in this order: view and primary (P1), the supervisor's probe,
 * its turn under its key, the log of a retried one and the answers kept under its key (P2, P20). Without waiting, all of
 * it is one synchronous step, so nothing changes between the decision and the handler. Knows nothing of HTTP.
 */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #turns = new KeyTurns();
  #stopping = false;

  constructor(options: ReceptionOptions) {
    this.#options = options;
  }

  /** From now on every request is answered 421: certain that nothing of it has run. */
  stop(): void {
    this.#stopping = true;
  }

  /** It counts as running until the function returned is called: when its response is over, or the connection. */
  enter(context: RequestContext): () => void {
    const { engine, running } = this.#options;
    running.add(context.request);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      context.isOver = true;
      // The session layer closes what it has opened, when its handler is done; without it the reception was the only one.
      if (context.participant !== null) {
        const ended = running.linger(context.request);
        context.participant.end(() => {
          ended();
          this.#giveTurn(context);
        });
      } else {
        if (context.session !== null) engine.close(context.session, context.request);
        this.#giveTurn(context);
      }
      running.remove(context.request);
    };
  }

  admit(visit: Visit): void {
    const { node, incarnation, views, rank } = this.#options;
    const { session } = visit.context;
    const rule = decideAdmission({ node, incarnation, view: views.current, asked: visit.view, session, rank });
    if (this.#stopping || rule.kind === 'elsewhere') {
      visit.answer(refused);
      return;
    }
    if (rule.kind === 'wait') {
      this.#wait(visit);
      return;
    }
    if (visit.isProbe) {
      this.#probe(visit);
      return;
    }
    const turn = this.#takeTurn(visit.context);
    if (turn === 'running') visit.answer({ status: 409, verdict: turn });
    else if (turn === 'reused') visit.answer({ status: 422, verdict: turn });
    else if (visit.attempt > 1 || turn === 'taken') this.#askFirst(visit);
    else this.#proceed(visit);
  }

  /** One request at a time runs under a key of a session. `free`: no key, or no session that it could belong to. */
  #takeTurn(context: RequestContext): 'free' | 'taken' | 'running' | 'reused' {
    const { session, keyed } = context;
    return session === null || keyed === null ? 'free' : this.#turns.take(session, keyed, context);
  }

  #giveTurn(context: RequestContext): void {
    const { session, keyed } = context;
    if (session !== null && keyed !== null) this.#turns.give(session, keyed, context);
  }

  #wait(visit: Visit): void {
    const { context } = visit;
    const from = performance.now();
    void this.#options.views.reach(visit.view, Math.max(0, context.waitLeftMs)).then((reached) => {
      context.waitLeftMs -= performance.now() - from;
      if (visit.isGone()) return;
      if (reached) this.admit(visit);
      else visit.answer(refused);
    });
  }

  /** Proves that a session whose primary died is served again: whatever stands in a user's way stands in the probe's. */
  #probe(visit: Visit): void {
    this.#recall(
      visit,
      () => visit.answer({ status: 204, verdict: null }),
      () => visit.answer({ status: 503, verdict: 'not-executed' }),
    );
  }

  /** What an earlier attempt, or an earlier request under the same key, has left behind decides before the handler runs. */
  #askFirst(visit: Visit): void {
    if (visit.prior !== null && this.#options.running.overlaps(visit.context.request)) {
      // An earlier attempt gave up on the connection, not on the handler: what it will have done is not in the log yet.
      visit.answer({ status: 502, verdict: 'unknown' });
      return;
    }
    this.#recall(
      visit,
      (recalled) => this.#obey(visit, recalled),
      (error) => giveUp(visit, error),
    );
  }

  #obey(visit: Visit, recalled: Recalled): void {
    const decision = this.#decide(visit, recalled);
    switch (decision) {
      case 'run':
        this.#proceed(visit);
        return;
      case 'answer': {
        const answer = recalled.kept?.answer ?? recalled.entry?.answer;
        if (answer) visit.replay(answer);
        else visit.answer({ status: 502, verdict: 'executed' });
        return;
      }
      case 'reused':
        visit.answer({ status: 422, verdict: decision });
        return;
      case 'executed':
      case 'unknown':
        visit.answer({ status: 502, verdict: decision });
        return;
      default:
        unreachable(decision);
    }
  }

  #decide({ context, method, target, prior }: Visit, { entry, kept }: Recalled): Retried | Repeated {
    const { keyed } = context;
    if (kept !== null && keyed !== null) return decideRepeated(kept, keyed.print);
    if (entry === null && prior === null) return 'run';
    const declared = keyed !== null || isReplayable(this.#options.replayable, method, target);
    return decideRetried(entry, { method, declared }, prior ?? 'nothing');
  }

  /** Loads the session and looks the request up in it; what is found is safe to be shown (P4). */
  #recall({ context, isGone }: Visit, recalled: (found: Recalled) => void, failed: (error: unknown) => void): void {
    const { session, request, keyed } = context;
    if (session === null) {
      recalled({ entry: null, kept: null });
      return;
    }
    Promise.resolve(this.#options.engine.recall(session, request, keyed?.key ?? null)).then(
      (found) => {
        if (!isGone()) recalled(found);
      },
      (error: unknown) => {
        if (!isGone()) failed(error);
      },
    );
  }

  #proceed(visit: Visit): void {
    const { context } = visit;
    const { session, request, keyed } = context;
    if (keyed === null || session === null) {
      visit.proceed();
      return;
    }
    const { engine } = this.#options;
    Promise.resolve(engine.open(session, request)).then(
      (held) => {
        if (visit.isGone()) {
          // It may have left before it was opened.
          engine.close(session, request);
          return;
        }
        // `session()` takes its place, if the handler meets it.
        if (held !== null) context.participant = new AnswerKeeper(engine, held, request, keyed);
        visit.proceed();
      },
      (error: unknown) => {
        if (!visit.isGone()) giveUp(visit, error);
      },
    );
  }
}

const refused: OwnAnswer = { status: 421, verdict: 'not-executed' };

/** The session could not be loaded. In time: what an earlier attempt did stays in the dark. Here: it is loaded elsewhere. */
function giveUp(visit: Visit, error: unknown): void {
  if (error instanceof LimpetError && error.code === 'LIMPET_MOVED') visit.answer(refused);
  else if (visit.prior === null) visit.answer({ status: 503, verdict: 'not-executed' });
  else visit.answer({ status: 504, verdict: 'unknown' });
}
