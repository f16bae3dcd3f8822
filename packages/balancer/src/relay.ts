import {
  type AttemptEnd,
  compareViews,
  decideNext,
  decideOutcome,
  decideRoute,
  decideSuspicion,
  type ErrorCode,
  isAccusing,
  isIdempotent,
  type Member,
  type NodeId,
  type Outcome,
  type Prior,
  Suspects,
  shortHash,
  unreachable,
  type View,
  type ViewNumber,
} from '@limpet/core';
import type { AnswerHead } from './answer-head.ts';
import type { Cluster } from './cluster.ts';
import { Patience } from './cluster.ts';
import { type Downstream, sendPage } from './downstream.ts';
import { type AttemptNote, type AttemptResult, exchange, type Passage } from './exchange.ts';
import { holdLane, type SerialLane } from './lane.ts';
import { deathProofMs, refreshMs } from './limits.ts';
import type { Log } from './log.ts';
import { codeOf, renderPage } from './page.ts';
import type { Upstream } from './upstreams.ts';

/** A member as a journey sees it: where an attempt goes. */
export interface Destination {
  readonly member: Member;
  readonly address: string;
  readonly isFull: boolean;
  /** Requests that this balancer has there. */
  inFlight: number;
  /** The count at the moment the death became known (P21). */
  readonly inFlightAtDeath: number | null;
}

/** What every request of this balancer shares. */
export interface Relay<To extends Destination = Upstream> {
  readonly cluster: Cluster;
  readonly upstreams: { get(member: Member): To; inFlight(member: Member): number };
  readonly suspects: Suspects;
  readonly lane: SerialLane;
  readonly log: Pick<Log, 'warn' | 'error'>;
  /** Tells the supervisor that a connection to this member ended (P7). */
  readonly reset: (to: To) => void;
}

/** What a journey needs to know of its request. */
export type Traveller = Pick<Passage, 'id' | 'session' | 'declared' | 'replayable'> & {
  readonly head: Pick<Passage['head'], 'method' | 'path'>;
};

/** Makes one attempt at one worker. */
export type Send<To extends Destination = Upstream> = (to: To, note: AttemptNote) => Promise<AttemptResult>;

/** What a journey needs to know of the client. */
export type Client = Pick<Downstream, 'isGone' | 'cut'>;

/** The end of a request: an answer of the app, a page of ours, or nobody left to tell. */
export type End =
  | { readonly kind: 'held'; readonly head: AnswerHead; readonly body: readonly Buffer[] }
  | { readonly kind: 'page'; readonly code: ErrorCode; readonly outcome: Outcome; readonly retryAfter?: number }
  | { readonly kind: 'cut' }
  | { readonly kind: 'done' };

/** Takes a request to a worker and its answer to the client, over as many attempts as P20 and P21 allow. */
export async function relay(shared: Relay, passage: Passage, down: Downstream, deadlineMs: number): Promise<void> {
  const send: Send = (upstream, note) => exchange(passage, upstream, note, down);
  const end = await new Journey(shared, passage, send, down, deadlineMs).run();
  switch (end.kind) {
    case 'held':
      down.head(end.head.status, end.head.statusText, end.head.lines);
      for (const chunk of end.body) down.write(chunk);
      down.end();
      return;
    case 'page': {
      const { accept } = passage.head;
      const retry = end.retryAfter === undefined ? {} : { retryAfter: end.retryAfter };
      const page = renderPage(end.code, { accept, outcome: end.outcome, ...retry });
      sendPage(down, page, passage.head.method === 'HEAD');
      return;
    }
    case 'cut':
      down.cut();
      return;
    case 'done':
      return;
    default:
      unreachable(end);
  }
}

/** One request, or one upgrade, over its attempts. */
export class Journey<To extends Destination = Upstream> {
  readonly #shared: Relay<To>;
  readonly #passage: Traveller;
  readonly #send: Send<To>;
  readonly #down: Client;
  readonly #patience: Patience;
  readonly #route: string;
  /** Attempts that a worker may have run. */
  #runs = 0;
  #reroutes = 0;
  /** Connections that could not be made. */
  #unsent = 0;
  #prior: Prior | null = null;
  /** Workers that died under this request. */
  #deaths = 0;
  /** Addresses of those that it may have ended. */
  readonly #ended: string[] = [];
  /** Those that it certainly did not end. */
  #cleared = 0;
  #avoid: NodeId | null = null;
  #releaseLane: (() => void) | null = null;
  /** Has been sent through the lane, as every attempt must be from then on. */
  #isSerial = false;
  /** Its route has ended a worker: its answer speaks for it. */
  #isWatched = false;

  constructor(shared: Relay<To>, passage: Traveller, send: Send<To>, down: Client, deadlineMs: number) {
    this.#shared = shared;
    this.#passage = passage;
    this.#send = send;
    this.#down = down;
    this.#patience = new Patience(shared.cluster, deadlineMs);
    this.#route = Suspects.route(passage.head.method, passage.head.path);
  }

  async run(): Promise<End> {
    const standing = this.#shared.suspects.standing(this.#route, this.#passage.session, performance.now());
    if (standing.kind === 'refused') {
      const seconds = Math.ceil(standing.forMs / 1000);
      return { kind: 'page', code: 'LIMPET_REFUSED', outcome: 'not-executed', retryAfter: seconds };
    }
    this.#isWatched = standing.kind === 'watched';
    try {
      if (this.#isWatched && !(await this.#enterLane())) return this.#giveUp('LIMPET_NOT_EXECUTED');
      for (;;) {
        const end = await this.#attempt();
        if (end !== null) return end;
        if (this.#down.isGone && isIdempotent(this.#passage.head.method)) return { kind: 'done' };
      }
    } finally {
      this.#releaseLane?.();
    }
  }

  /** One attempt. Null: another is to follow. */
  async #attempt(): Promise<End | null> {
    const placed = await this.#place();
    if (placed === null) return this.#giveUp('LIMPET_NO_NODE');
    const { member, view } = placed;
    const upstream = this.#shared.upstreams.get(member);
    if (upstream.isFull) return this.#giveUp('LIMPET_OVERLOADED');
    upstream.inFlight += 1;
    try {
      // Above 1 the worker asks its log before it runs anything, so attempts at which nothing ran do not count.
      const attempt = this.#prior === null ? 1 : this.#runs + 1;
      const note = { view, attempt, prior: this.#prior, deadlineMs: this.#patience.leftMs };
      const result = await this.#send(upstream, note);
      return await this.#conclude(result, upstream);
    } finally {
      upstream.inFlight -= 1;
    }
  }

  /** The member for the next attempt, waiting for a view that has one. */
  async #place(): Promise<{ readonly member: Member; readonly view: View } | null> {
    const { cluster } = this.#shared;
    if (!cluster.hasHomes && !(await this.#patience.until(() => cluster.hasHomes))) return null;
    const { table } = cluster;
    if (table === null) return null;
    const draws: [number, number] = [Math.random(), Math.random()];
    const inFlight = (member: Member) => this.#shared.upstreams.inFlight(member);
    const route = decideRoute(table, this.#passage.session, inFlight, draws, this.#avoid);
    return route.kind === 'none' ? null : { member: route.member, view: table.view };
  }

  async #conclude(result: AttemptResult, upstream: To): Promise<End | null> {
    switch (result.kind) {
      case 'held':
        if (this.#isWatched) this.#shared.suspects.served(this.#route);
        return result;
      case 'relayed':
        if (this.#isWatched) this.#shared.suspects.served(this.#route);
        return { kind: 'done' };
      case 'gone':
        return { kind: 'done' };
      case 'verdict':
        // Nothing ran there, and our earlier attempts decide what may be said of the whole request.
        if (result.outcome === 'not-executed') return this.#giveUp('LIMPET_NOT_EXECUTED');
        if (result.outcome === 'reused') return { kind: 'page', code: 'LIMPET_KEY_REUSED', outcome: 'not-executed' };
        return this.#page(result.outcome, result.isLate);
      case 'refused':
        this.#reroutes += 1;
        return this.#follow({ kind: 'refused' }, () => this.#refresh(result.view));
      case 'unsent':
        this.#unsent += 1;
        this.#avoid = upstream.member.id;
        this.#shared.reset(upstream);
        return this.#follow({ kind: 'unsent' }, () => this.#changed(upstream));
      case 'broken': {
        this.#runs += 1;
        this.#avoid = upstream.member.id;
        this.#shared.reset(upstream);
        if (result.out) return this.#cutAfter(upstream);
        const end = await this.#proof(result.back, upstream);
        return this.#follow(end);
      }
      case 'late':
      case 'malformed':
        this.#runs += 1;
        if (result.kind === 'malformed') {
          this.#shared.log.warn({ node: upstream.member.id, why: result.why }, 'refused an answer');
        }
        return this.#follow({ kind: result.kind });
      default:
        return unreachable(result);
    }
  }

  /** Part of the answer is out. What the death says about the request is noted all the same. */
  async #cutAfter(upstream: To): Promise<End> {
    this.#down.cut();
    const end = await this.#proof('part', upstream);
    if (end.kind === 'died' && end.suspicion === 'alone') this.#accuse();
    return { kind: 'done' };
  }

  /** Waits for the proof of the worker's death: a broken connection alone proves nothing (P7). */
  async #proof(back: 'nothing' | 'head' | 'part', upstream: To): Promise<AttemptEnd> {
    const { cluster } = this.#shared;
    const isRemoved = await this.#patience.until(() => !cluster.isListed(upstream.member), deathProofMs);
    if (!isRemoved) return { kind: 'reset', back };
    const inFlight = upstream.inFlightAtDeath ?? upstream.inFlight;
    const suspicion = decideSuspicion(cluster.deathOf(upstream.member), this.#passage.id, inFlight);
    this.#deaths += 1;
    if (isAccusing(suspicion)) this.#ended.push(upstream.address);
    else if (suspicion === 'none') this.#cleared += 1;
    return { kind: 'died', back, suspicion };
  }

  /** Does what the table says. `before` waits for what can change the result of another attempt. */
  async #follow(end: AttemptEnd, before?: () => Promise<void>): Promise<End | null> {
    const { head, session, declared } = this.#passage;
    const next = decideNext({
      method: head.method,
      declared,
      hasSession: session !== null,
      replayable: this.#passage.replayable,
      out: false,
      end,
      attempts: this.#runs,
      reroutes: this.#reroutes,
      deaths: this.#deaths,
      suspected: this.#ended.length,
      cleared: this.#cleared,
      prior: this.#prior,
    });
    if (next.kind === 'cut') return next;
    if (next.kind === 'answer') {
      if (next.culprit) await this.#holdBack();
      return this.#page(next.outcome, next.status === 504);
    }
    this.#prior = next.prior;
    this.#releaseLane?.();
    this.#releaseLane = null;
    if (before !== undefined) {
      if (this.#patience.leftMs === 0) return this.#giveUp('LIMPET_NOT_EXECUTED');
      await before();
    }
    // Once a suspect, in every further attempt: a 421 must not let it out of the lane.
    if ((next.serial || this.#isSerial) && !(await this.#enterLane())) return this.#giveUp('LIMPET_NOT_EXECUTED');
    return null;
  }

  /** After a 421: the view the worker named, or any newer one. */
  async #refresh(named: ViewNumber | null): Promise<void> {
    const { cluster } = this.#shared;
    const ours = cluster.view;
    if (ours === null) return;
    if (named !== null && compareViews(named, ours) > 0) {
      await this.#patience.until(() => cluster.view !== null && compareViews(cluster.view, named) >= 0);
    } else await this.#patience.until(() => cluster.view !== ours, refreshMs);
  }

  /** After a connection that could not be made: a view without the member, or a moment. */
  async #changed(upstream: To): Promise<void> {
    const { cluster } = this.#shared;
    const others = (cluster.table?.open.length ?? 0) - 1;
    // A request without a session goes to another member at once; once every one was tried, only waiting helps.
    if (this.#passage.session === null && this.#unsent <= others) return;
    await this.#patience.until(() => !cluster.isListed(upstream.member), refreshMs);
  }

  async #enterLane(): Promise<boolean> {
    this.#isSerial = true;
    const { cluster, lane } = this.#shared;
    const release = await this.#patience.charge(lane.acquire(this.#patience.leftMs));
    if (release === null) return false;
    if (!(await this.#patience.until(() => cluster.isWhole))) {
      release();
      return false;
    }
    this.#releaseLane = holdLane(release);
    return true;
  }

  /** A certain culprit learns nothing before the cluster is whole again: a client in a loop must not outrun the copies. */
  async #holdBack(): Promise<void> {
    this.#accuse();
    const { cluster } = this.#shared;
    await this.#patience.until(() => cluster.isWhole);
  }

  #accuse(): void {
    const { session } = this.#passage;
    const isRefused = this.#shared.suspects.note(this.#route, session, this.#ended, performance.now());
    const who = session === null ? {} : { session: shortHash(session) };
    this.#shared.log.warn({ ...who, ended: this.#ended }, 'a request ended the node that ran it');
    if (isRefused) this.#shared.log.warn(who, 'a session that ended two nodes is refused for a minute');
  }

  #giveUp(code: 'LIMPET_NO_NODE' | 'LIMPET_OVERLOADED' | 'LIMPET_NOT_EXECUTED'): End {
    const { outcome } = decideOutcome(this.#prior);
    return outcome === 'not-executed' ? { kind: 'page', code, outcome, retryAfter: 1 } : this.#page(outcome, false);
  }

  #page(outcome: Outcome, isLate: boolean): End {
    const code = codeOf(outcome, isLate);
    return outcome === 'not-executed' || outcome === 'running'
      ? { kind: 'page', code, outcome, retryAfter: 1 }
      : { kind: 'page', code, outcome };
  }
}
