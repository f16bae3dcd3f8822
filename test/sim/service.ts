import type { SessionId } from '@limpet/core';
import type { Held, RequestContext, Verdict } from '@limpet/session';
import { RequestSession, ResponseCookie } from '@limpet/session';
import { decideRelease, type OwnAnswer } from '@limpet/worker';
import { handle } from './app.ts';
import type { Connection } from './connection.ts';
import { type Body, encodeBody, type WireRequest } from './wire.ts';
import type { Worker } from './worker.ts';

/** How long a request whose client has gone may still change its session, in milliseconds: as the middleware has it. */
const lingerMs = 30_000;

/** What an app's session looks like to the handlers. */
export type Loose = Record<string, unknown> & {
  save(): Promise<void>;
  regenerate(): Promise<void>;
  renew(): Promise<void>;
  destroy(): Promise<void>;
};

/** The HTTP of a worker without HTTP: what admission, gate and middleware do around the product's own decisions. */
export class Service {
  readonly #worker: Worker;
  /** Responses held, sessions being loaded, handlers at work: what a fault may meet. */
  readonly holding = { responses: 0, openings: 0, handlers: 0 };
  readonly #running = new Set<Exchange>();

  constructor(worker: Worker) {
    this.#worker = worker;
  }

  serve(connection: Connection): void {
    const exchange = new Exchange(this.#worker, this.holding, connection, () => this.#running.delete(exchange));
    this.#running.add(exchange);
    exchange.begin();
  }

  /** What runs here, for people. */
  describe(): string {
    return [...this.#running].map(({ wire }) => `${wire.ask.kind} ${wire.ask.tag}`).join(', ');
  }

  /** A request runs here whose session has its home elsewhere by now (P10). */
  get isHandingOver(): boolean {
    for (const exchange of this.#running) if (exchange.isFormer) return true;
    return false;
  }
}

/** One request at a worker. */
export class Exchange {
  readonly worker: Worker;
  readonly wire: WireRequest;
  readonly #holding: Service['holding'];
  readonly #connection: Connection;
  readonly #context: RequestContext;
  readonly #leave: () => void;
  #owner: RequestSession | null = null;
  #session: Loose | null = null;
  #hadSession = false;
  #isHeadSent = false;
  #isOut = false;
  #isEnded = false;
  #whenEnded: (() => void) | null = null;
  /** Answered by Limpet instead, or cut: what the handler still says goes nowhere. */
  #isCut = false;

  constructor(worker: Worker, holding: Service['holding'], connection: Connection, over: () => void) {
    this.worker = worker;
    this.wire = connection.request;
    this.#holding = holding;
    this.#connection = connection;
    const { request, session, deadlineMs } = this.wire;
    this.#context = { request, session, keyed: null, waitLeftMs: deadlineMs, participant: null, isOver: false };
    const leave = worker.reception.enter(this.#context);
    this.#leave = () => {
      over();
      leave();
    };
    connection.whenClosed(() => this.#leave());
  }

  begin(): void {
    const { ask, view, attempt, prior } = this.wire;
    this.worker.reception.admit({
      context: this.#context,
      method: ask.method,
      target: ask.declared ? '/declared' : '/',
      view,
      attempt,
      prior,
      isProbe: false,
      isGone: () => this.#connection.isClosed,
      proceed: () => void this.#proceed().catch((error) => this.worker.world.crashed(error)),
      replay: (answer) => this.#replay(answer),
      answer: (answer) => this.#answer(answer.status, answer.verdict),
    });
  }

  /** `session()`, then the handler. */
  async #proceed(): Promise<void> {
    const { engine, world } = this.worker;
    const { session, request } = this.#context;
    const from = performance.now();
    const opened = session === null ? null : engine.open(session, request, this.#context.waitLeftMs);
    let held: Held | null;
    try {
      this.#holding.openings += 1;
      held = opened instanceof Promise ? await opened : opened;
    } catch (error) {
      if (this.#context.isOver) return;
      this.#attach(null).fail(error);
      await this.#answerApp(500);
      return;
    } finally {
      this.#holding.openings -= 1;
      this.#context.waitLeftMs -= performance.now() - from;
    }
    if (this.#context.isOver) return;
    if (held !== null) engine.touch(held);
    this.#hadSession = held !== null;
    this.#attach(held);
    world.watch.runs(this.worker, this.wire);
    this.#holding.handlers += 1;
    try {
      await handle(this, world.scheduler);
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error)) throw error;
      world.log.line(this.worker.address, `handler: ${String(error.code)}`);
      await this.#answerApp(500);
    } finally {
      this.#holding.handlers -= 1;
    }
  }

  #attach(held: Held | null): RequestSession {
    const { engine } = this.worker;
    const { session } = this.#context;
    const owner = new RequestSession(engine, this.#context, session, held, {
      isHeadSent: () => this.#isHeadSent,
      makeCookie: () => new ResponseCookie({}),
      show: (shown) => {
        this.#session = (shown ?? null) as unknown as Loose | null;
      },
    });
    this.#owner = owner;
    this.#context.participant = {
      reach: (answer) => owner.reach(answer),
      delivered: () => owner.delivered(),
      held: () => owner.held(),
      end: (over) => this.#endWith(owner, over),
    };
    return owner;
  }

  #endWith(owner: RequestSession, over: () => void): void {
    const finish = () => {
      owner.end();
      over();
    };
    if (this.#isEnded) {
      finish();
      return;
    }
    owner.commitRest();
    const timer = setTimeout(finish, lingerMs);
    this.#whenEnded = () => {
      clearTimeout(timer);
      finish();
    };
  }

  get isFormer(): boolean {
    const { session, participant } = this.#context;
    return session !== null && participant !== null && !this.worker.engine.isPrimary(session);
  }

  // ——— What a handler sees ———

  get session(): Loose | null {
    return this.#session;
  }

  /** The session that was there when the handler began, by its birth name. */
  readonly bodyOf = (found: string | null): Omit<Body, 'cookie'> => {
    const session = this.#session;
    const list = (name: string) => [...((session?.[name] as string[] | undefined) ?? [])];
    return {
      request: this.#context.request,
      at: this.worker.address,
      found,
      birth: (session?.['birth'] as string | undefined) ?? null,
      log: list('log'),
      other: list('other'),
      count: (session?.['count'] as number | undefined) ?? 0,
    };
  };

  /** The whole response at once. Resolves when it has left, or never will. */
  async respond(body: Omit<Body, 'cookie'>): Promise<void> {
    const owner = this.#owner;
    if (owner === null) return;
    owner.assertCommittable();
    const cookie = owner.announce(false);
    this.#isHeadSent = true;
    const bytes = encodeBody({ ...body, cookie });
    this.#isEnded = true;
    const released = await this.#gate(bytes);
    if (released) {
      this.#write(200, null, [bytes], false, true);
      this.#finish();
    }
    this.#endHandler();
  }

  /** A piece of a stream; the first with the head. False: nobody gets it, and no further one. */
  async piece(body: Omit<Body, 'cookie'>): Promise<boolean> {
    const owner = this.#owner;
    if (owner === null || this.#isCut) return false;
    const isFirst = !this.#isHeadSent;
    if (isFirst) owner.assertCommittable();
    const cookie = isFirst ? owner.announce(false) : ({ kind: 'keep' } as const);
    this.#isHeadSent = true;
    const bytes = encodeBody({ ...body, cookie });
    if (!(await this.#gate(null))) return false;
    this.#write(200, null, [bytes], true, false, isFirst);
    return true;
  }

  /** The end of a stream. */
  async finishStream(): Promise<void> {
    this.#owner?.commitRest();
    this.#isEnded = true;
    if (!this.#isCut && (await this.#gate(null))) {
      this.#connection.send({ kind: 'end' });
      this.#finish();
    }
    this.#endHandler();
  }

  /** A commit point, as worker/gate.ts asks for it. */
  async #gate(answer: Uint8Array | null): Promise<boolean> {
    const { world } = this.worker;
    const participant = this.#context.participant;
    if (participant === null || this.#connection.isClosed) return !this.#connection.isClosed;
    const asked = this.#reach(answer);
    const shown = this.#shown(participant.held());
    const verdict = asked instanceof Promise ? await this.#withDeadline(asked) : asked;
    const release = decideRelease(verdict, this.#isOut);
    switch (release.kind) {
      case 'release':
        if (shown !== null) world.watch.released(this.worker, shown.id, shown.version);
        return true;
      case 'cut':
        this.#isCut = true;
        this.#connection.over();
        this.#leave();
        return false;
      case 'replay':
        this.#replay(release.answer);
        return false;
      case 'answer':
        this.#answer(release.status, release.verdict);
        return false;
    }
  }

  /** What the response shows: the session as it is, or that the one it began with has ended. */
  #shown(held: Held | null): { readonly id: SessionId; readonly version: number } | null {
    if (held !== null) return { id: held.id, version: held.mark.version };
    const { session, ask } = this.wire;
    if (session === null || !this.#hadSession || ask.kind !== 'destroy') return null;
    const ended = this.worker.engine.record(session);
    const version = this.worker.world.watch.endedBy(session) ?? ended?.mark.version ?? 0;
    return ended?.deleted ? { id: session, version } : null;
  }

  #reach(answer: Uint8Array | null): Verdict | Promise<Verdict> {
    try {
      return this.#context.participant?.reach(answer) ?? { kind: 'safe' };
    } catch {
      return { kind: 'unknown', why: 'handed-over' };
    }
  }

  #withDeadline(verdict: Promise<Verdict>): Promise<Verdict> {
    const context = this.#context;
    const isHead = !this.#isOut;
    const from = performance.now();
    this.#holding.responses += 1;
    return new Promise((resolve) => {
      const decide = (found: Verdict) => {
        if (timer === null) return;
        clearTimeout(timer);
        timer = null;
        if (isHead) context.waitLeftMs -= performance.now() - from;
        this.#holding.responses -= 1;
        resolve(found);
      };
      let timer: NodeJS.Timeout | null = setTimeout(
        () => decide({ kind: 'unknown', why: 'deadline' }),
        isHead ? Math.max(0, context.waitLeftMs) : this.wire.deadlineMs,
      );
      verdict.then(decide, () => decide({ kind: 'unknown', why: 'handed-over' }));
    });
  }

  // ——— What goes out ———

  #replay(answer: Uint8Array): void {
    this.#write(200, null, [answer], false, true);
    this.#over();
  }

  #answer(status: OwnAnswer['status'] | 409, verdict: string | null): void {
    this.#write(status, verdict, [], false, true);
    this.#over();
  }

  /** An error page of the app. */
  async #answerApp(status: number): Promise<void> {
    this.#isEnded = true;
    this.#isHeadSent = true;
    const owner = this.#owner;
    if (owner !== null && !this.#isCut) {
      owner.announce(false);
      if (await this.#gate(null)) {
        this.#write(status, null, [], false, true);
        this.#finish();
      }
    }
    this.#endHandler();
  }

  #write(
    status: number,
    verdict: string | null,
    pieces: readonly Uint8Array[],
    isStream: boolean,
    isEnd: boolean,
    isFirst = true,
  ): void {
    const { request } = this.wire;
    if (isFirst) {
      const view = this.worker.views.current;
      this.#connection.send({ kind: 'head', status, verdict, echo: request, view, isStream });
      this.#isOut = true;
    }
    for (const body of pieces) this.#connection.send({ kind: 'piece', body });
    if (isEnd) this.#connection.send({ kind: 'end' });
  }

  /** The app's own answer has been accepted by the connection. */
  #finish(): void {
    const { scheduler, dice } = this.worker.world;
    scheduler.at(dice.between(0.01, 0.5), this.worker.thread, () => {
      this.#context.participant?.delivered();
      this.#connection.over();
      this.#leave();
    });
  }

  /** Limpet's own answer, and the connection ends behind it. */
  #over(): void {
    this.#isCut = true;
    this.#isEnded ||= this.#owner === null;
    this.#connection.over();
    this.#leave();
  }

  #endHandler(): void {
    this.#whenEnded?.();
    this.#whenEnded = null;
  }
}
