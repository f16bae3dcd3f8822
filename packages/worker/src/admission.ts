import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { RequestContext } from '@limpet/session';
import { presentPeer } from './app-addresses.ts';
import type { Front } from './app-server.ts';
import { type Exchange, Gate } from './gate.ts';
import { type InternalHead, takeInternalHead } from './internal-head.ts';
import type { Pace } from './pace.ts';
import { type OwnAnswer, Reception, type ReceptionOptions } from './reception.ts';
import { internalLines, ownResponse } from './response-head.ts';
import type { WebSockets } from './websockets.ts';

export interface AdmissionOptions extends ReceptionOptions {
  /** Where the balancer names no deadline. */
  readonly deadlineMs: number;
  readonly pace: Pace;
  readonly webSockets: WebSockets;
}

/** One request between its head and its first listener in the app. */
interface Arrival {
  readonly head: InternalHead;
  readonly req: IncomingMessage;
  readonly res: ServerResponse | null;
  readonly gate: Gate;
  readonly exchange: Exchange;
  readonly proceed: () => void;
}

/**
 * What every request passes before the app sees it: internal headers off, its context for `session()`, its turn
 * (pace.ts), then whatever the reception decides.
 */
export class Admission implements Front {
  readonly #options: AdmissionOptions;
  readonly #gates = new WeakMap<Duplex, Gate>();
  readonly #contexts = new WeakMap<IncomingMessage, RequestContext>();
  readonly #reception: Reception;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#reception = new Reception(options);
  }

  contextOf(req: IncomingMessage): RequestContext | null {
    return this.#contexts.get(req) ?? null;
  }

  /** From now on every request is answered 421: certain that nothing of it has run. */
  stop(): void {
    this.#reception.stop();
  }

  connection(socket: Socket, port: number): void {
    presentPeer(socket, port);
    this.#gates.set(socket, new Gate(socket, () => this.#options.pace.hold()));
  }

  request(req: IncomingMessage, res: ServerResponse, proceed: () => void): void {
    const arrival = this.#arrive(req, res, req.socket, proceed);
    if (arrival !== null) {
      this.#options.pace.start(() => {
        if (!req.socket.destroyed) this.#admit(arrival);
      });
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
    const { engine, views, webSockets } = this.#options;
    const head = takeInternalHead(req);
    const gate = this.#gates.get(socket);
    if (head === null || gate === undefined || !(socket instanceof Socket)) return null;
    const waitMs = head.deadlineMs ?? this.#options.deadlineMs;
    const session = head.session === null ? null : engine.parse(head.session);
    const context: RequestContext = {
      request: head.request,
      session,
      keyed: head.keyed,
      waitLeftMs: waitMs,
      participant: null,
      isOver: false,
    };
    const leave = this.#enter(context, res, socket);
    const exchange: Exchange = {
      context,
      response: res,
      lines: () => internalLines(head.request, views.current),
      pieceWaitMs: waitMs,
      ...(res === null && { headPassed: leave, upgraded: (bytes: Buffer) => webSockets.follow(socket, bytes) }),
    };
    this.#contexts.set(req, context);
    gate.begin(exchange);
    res?.once('close', () => gate.finish(exchange));
    return { head, req, res, gate, exchange, proceed };
  }

  /** Counts it as running until its response is over, or the connection, whichever comes first. */
  #enter(context: RequestContext, res: ServerResponse | null, socket: Socket): () => void {
    const over = this.#reception.enter(context);
    const leave = (): void => {
      socket.removeListener('close', leave);
      over();
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

  #admit({ head, req, res, gate, exchange, proceed }: Arrival): void {
    this.#reception.admit({
      context: exchange.context,
      method: req.method ?? '',
      target: req.url ?? '',
      view: head.view,
      attempt: head.attempt,
      prior: head.prior,
      isProbe: head.probe,
      isGone: () => req.socket.destroyed,
      proceed: () => {
        if (head.admit) res?.writeProcessing();
        proceed();
      },
      replay: (answer) => gate.replay(exchange, answer),
      answer: (answer) => send({ exchange, gate, res }, answer),
    });
  }
}

function send(
  { exchange, gate, res }: Pick<Arrival, 'exchange' | 'gate' | 'res'>,
  { status, verdict }: OwnAnswer,
): void {
  if (res === null) {
    gate.answer(ownResponse(status, exchange.lines(), verdict));
    return;
  }
  if (verdict) res.setHeader('limpet-verdict', verdict);
  res.sendDate = false;
  res.writeHead(status, status === 204 ? {} : { 'content-length': 0 });
  res.end();
}
