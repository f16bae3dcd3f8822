import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  decideRepeated,
  decideRetried,
  isReplayable,
  type NodeId,
  type Rank,
  type Repeated,
  type ReplayableRoute,
  type Retried,
  type SessionId,
  unreachable,
  type WorkerVerdict,
} from '@limpet/core';
import type { Engine, Recalled, RequestContext } from '@limpet/session';
import { decideAdmission } from './admission-rule.ts';
import { AnswerKeeper } from './answer-keeper.ts';
import { presentPeer } from './app-addresses.ts';
import type { Front } from './app-server.ts';
import { type Exchange, Gate } from './gate.ts';
import { type InternalHead, takeInternalHead } from './internal-head.ts';
import { KeyTurns } from './key-turns.ts';
import { internalLines, type OwnStatus, ownResponse } from './response-head.ts';
import type { Running } from './running.ts';
import type { ViewFeed } from './view-feed.ts';

export interface AdmissionOptions {
  readonly node: NodeId;
  readonly incarnation: number;
  readonly views: ViewFeed;
  readonly engine: Engine;
  readonly rank: Rank;
  readonly running: Running;
  /** Requests of these routes may run again after a death. */
  readonly replayable: readonly ReplayableRoute[];
  /** Where the balancer names no deadline. */
  readonly deadlineMs: number;
}

/** One request between its head and its first listener in the app. */
interface Arrival {
  readonly head: InternalHead;
  readonly session: SessionId | null;
  readonly req: IncomingMessage;
  readonly res: ServerResponse | null;
  readonly gate: Gate;
  readonly exchange: Exchange;
  readonly proceed: () => void;
}

/**
 * What every request passes before the app sees it, in this order: internal headers off, view and primary (P1), the
 * supervisor's probe, its turn under its key, the log of a retried one and the answers kept under its key (P2, P20), its
 * context for `session()`. Without waiting, all of it is one synchronous step, so nothing changes between the decision and
 * the handler.
 */
export class Admission implements Front {
  readonly #options: AdmissionOptions;
  readonly #gates = new WeakMap<Duplex, Gate>();
  readonly #contexts = new WeakMap<IncomingMessage, RequestContext>();
  readonly #turns = new KeyTurns();
  #stopping = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  contextOf(req: IncomingMessage): RequestContext | null {
    return this.#contexts.get(req) ?? null;
  }

  /** From now on every request is answered 421: certain that nothing of it has run. */
  stop(): void {
    this.#stopping = true;
  }

  connection(socket: Socket, port: number): void {
    presentPeer(socket, port);
    this.#gates.set(socket, new Gate(socket));
  }

  request(req: IncomingMessage, res: ServerResponse, proceed: () => void): void {
    const arrival = this.#arrive(req, res, req.socket, proceed);
    if (arrival !== null) {
      this.#admit(arrival);
      return;
    }
    res.writeHead(400, { connection: 'close' });
    res.end('this port is for the balancer\n');
  }

  upgrade(req: IncomingMessage, socket: Duplex, proceed: () => void): void {
    const arrival = this.#arrive(req, null, socket, proceed);
    if (arrival !== null) {
      this.#admit(arrival);
      return;
    }
    socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
  }

  #arrive(req: IncomingMessage, res: ServerResponse | null, socket: Duplex, proceed: () => void): Arrival | null {
    const { engine, views } = this.#options;
    const head = takeInternalHead(req);
    const gate = this.#gates.get(socket);
    if (head === null || gate === undefined || !(socket instanceof Socket)) return null;
    const waitMs = head.deadlineMs ?? this.#options.deadlineMs;
    const session = head.session === null ? null : engine.parse(head.session);
    const context: RequestContext = {
      request: head.request,
      session,
      keyed: head.keyed,
      deadlineAt: performance.now() + waitMs,
      participant: null,
    };
    const leave = this.#enter(context, res, socket);
    const exchange: Exchange = {
      context,
      response: res,
      lines: () => internalLines(head.request, views.current),
      pieceWaitMs: waitMs,
      ...(res === null && { headPassed: leave }),
    };
    this.#contexts.set(req, context);
    gate.begin(exchange);
    res?.once('close', () => gate.finish(exchange));
    return { head, session, req, res, gate, exchange, proceed };
  }

  /** Counts it as running until its response is over, or the connection, whichever comes first. */
  #enter(context: RequestContext, res: ServerResponse | null, socket: Socket): () => void {
    const { engine, running } = this.#options;
    running.add(context.request);
    let over = false;
    const leave = (): void => {
      if (over) return;
      over = true;
      socket.removeListener('close', leave);
      // The session layer closes what it has opened, when its handler is done; without it admission was the only one.
      if (context.participant !== null) context.participant.end(() => this.#giveTurn(context));
      else {
        if (context.session !== null) engine.close(context.session, context.request);
        this.#giveTurn(context);
      }
      running.remove(context.request);
    };
    if (res === null) socket.once('close', leave);
    else {
      // All of it was accepted by the connection: the buddy need not keep it (P2).
      res.once('finish', () => {
        if (!this.#gates.get(socket)?.cut) context.participant?.delivered();
      });
      res.once('close', leave);
    }
    return leave;
  }

  #admit(arrival: Arrival): void {
    const { node, incarnation, views, rank } = this.#options;
    const { head, session } = arrival;
    const rule = decideAdmission({ node, incarnation, view: views.current, asked: head.view, session, rank });
    if (this.#stopping || rule.kind === 'elsewhere') {
      this.#answer(arrival, 421, 'not-executed');
      return;
    }
    if (rule.kind === 'wait') {
      this.#wait(arrival);
      return;
    }
    if (head.probe) {
      this.#probe(arrival);
      return;
    }
    const turn = this.#takeTurn(arrival.exchange.context);
    if (turn !== 'free' && turn !== 'taken') {
      this.#answer(arrival, turn === 'running' ? 409 : 422, turn);
      return;
    }
    if (head.attempt > 1 || turn === 'taken') this.#askFirst(arrival);
    else this.#proceed(arrival);
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

  #wait(arrival: Arrival): void {
    const waitMs = Math.max(0, arrival.exchange.context.deadlineAt - performance.now());
    void this.#options.views.reach(arrival.head.view, waitMs).then((reached) => {
      if (arrival.req.socket.destroyed) return;
      if (reached) this.#admit(arrival);
      else this.#answer(arrival, 421, 'not-executed');
    });
  }

  /** Proves that a session whose primary died is served again: whatever stands in a user's way stands in the probe's. */
  #probe(arrival: Arrival): void {
    this.#recall(
      arrival,
      () => this.#answer(arrival, 204),
      () => this.#answer(arrival, 503, 'not-executed'),
    );
  }

  /** What an earlier attempt, or an earlier request under the same key, has left behind decides before the handler runs. */
  #askFirst(arrival: Arrival): void {
    const { head, session } = arrival;
    if (head.prior !== null && this.#options.running.overlaps(head.request)) {
      // An earlier attempt gave up on the connection, not on the handler: what it will have done is not in the log yet.
      this.#answer(arrival, 502, 'unknown');
      return;
    }
    const obey = (recalled: Recalled): void => this.#obey(arrival, recalled);
    if (session === null) {
      obey({ entry: null, kept: null });
      return;
    }
    this.#recall(arrival, obey, () => this.#giveUp(arrival));
  }

  /** Nobody could be asked in time: what an earlier attempt did stays in the dark. */
  #giveUp(arrival: Arrival): void {
    if (arrival.head.prior === null) this.#answer(arrival, 503, 'not-executed');
    else this.#answer(arrival, 504, 'unknown');
  }

  #obey(arrival: Arrival, recalled: Recalled): void {
    const { gate, exchange } = arrival;
    const decision = this.#decide(arrival, recalled);
    switch (decision) {
      case 'run':
        this.#proceed(arrival);
        return;
      case 'answer': {
        const answer = recalled.kept?.answer ?? recalled.entry?.answer;
        if (answer) gate.replay(exchange, answer);
        else this.#answer(arrival, 502, 'executed');
        return;
      }
      case 'reused':
        this.#answer(arrival, 422, decision);
        return;
      case 'executed':
      case 'unknown':
        this.#answer(arrival, 502, decision);
        return;
      default:
        unreachable(decision);
        return;
    }
  }

  #decide({ head, req }: Arrival, { entry, kept }: Recalled): Retried | Repeated {
    if (kept !== null && head.keyed !== null) return decideRepeated(kept, head.keyed.print);
    if (entry === null && head.prior === null) return 'run';
    const method = req.method ?? '';
    const declared = head.keyed !== null || isReplayable(this.#options.replayable, method, req.url ?? '');
    return decideRetried(entry, { method, declared }, head.prior ?? 'nothing');
  }

  /** Loads the session and looks the request up in it; what is found is safe to be shown (P4). */
  #recall(arrival: Arrival, recalled: (found: Recalled) => void, failed: () => void): void {
    const { head, session, req } = arrival;
    if (session === null) {
      recalled({ entry: null, kept: null });
      return;
    }
    Promise.resolve(this.#options.engine.recall(session, head.request, head.keyed?.key ?? null)).then(
      (found) => {
        if (!req.socket.destroyed) recalled(found);
      },
      () => {
        if (!req.socket.destroyed) failed();
      },
    );
  }

  #proceed(arrival: Arrival): void {
    const { head, session } = arrival;
    if (head.keyed === null || session === null) {
      run(arrival);
      return;
    }
    const { engine } = this.#options;
    const { keyed } = head;
    Promise.resolve(engine.open(session, head.request)).then(
      (held) => {
        if (arrival.req.socket.destroyed) {
          // It may have left before it was opened.
          engine.close(session, head.request);
          return;
        }
        // `session()` takes its place, if the handler meets it.
        if (held !== null) arrival.exchange.context.participant = new AnswerKeeper(engine, held, head.request, keyed);
        run(arrival);
      },
      () => {
        if (!arrival.req.socket.destroyed) this.#giveUp(arrival);
      },
    );
  }

  #answer({ exchange, gate, res }: Arrival, status: OwnStatus, verdict?: WorkerVerdict): void {
    if (res === null) {
      gate.answer(ownResponse(status, exchange.lines(), verdict ?? null));
      return;
    }
    if (verdict) res.setHeader('limpet-verdict', verdict);
    res.sendDate = false;
    res.writeHead(status, status === 204 ? {} : { 'content-length': 0 });
    res.end();
  }
}

/** The app's turn. */
function run({ head, res, proceed }: Arrival): void {
  if (head.admit) res?.writeProcessing();
  proceed();
}
