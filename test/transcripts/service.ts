import type { AttemptNote, AttemptResult } from '@limpet/balancer';
import { formatViewNumber, type NodeId, unreachable } from '@limpet/core';
import {
  type Held,
  type ReplicatedEngine,
  type RequestContext,
  RequestSession,
  ResponseCookie,
  type Verdict,
} from '@limpet/session';
import { decideRelease, type OwnAnswer, type Reception, type ViewFeed } from '@limpet/worker';
import type { Ask, Deed, Stage } from './stage.ts';

/** The worker around one request. */
export interface Host {
  readonly stage: Stage;
  readonly node: NodeId;
  readonly engine: ReplicatedEngine;
  readonly reception: Reception;
  readonly views: ViewFeed;
  readonly isAlive: boolean;
  crash(): void;
}

type Loose = Record<string, unknown> & { destroy(): Promise<void> };

/**
 * One attempt of a request at a worker, without HTTP: admission, session and gate are the product's own decisions, and the
 * handler does what the script says.
 */
export class Exchange {
  readonly ask: Ask;
  readonly #host: Host;
  readonly #note: AttemptNote;
  readonly #context: RequestContext;
  readonly #leave: () => void;
  readonly #done: (result: AttemptResult) => void;
  #owner: RequestSession | null = null;
  #session: Loose | null = null;
  #hadSession = false;
  #isHeadSent = false;
  #isOver = false;
  /** Deeds done so far. */
  #at = 0;
  readonly #shown: string[] = [];

  constructor(host: Host, ask: Ask, note: AttemptNote, done: (result: AttemptResult) => void) {
    this.#host = host;
    this.ask = ask;
    this.#note = note;
    this.#done = done;
    const { request, session } = ask;
    this.#context = { request, session, keyed: null, waitLeftMs: note.deadlineMs, participant: null, isOver: false };
    this.#leave = host.reception.enter(this.#context);
  }

  begin(): void {
    const { view, attempt, prior } = this.#note;
    this.#host.reception.admit({
      context: this.#context,
      method: this.ask.method,
      target: '/',
      view,
      attempt,
      prior,
      isProbe: false,
      isGone: () => this.#isOver,
      proceed: () => void this.#proceed().catch((error) => this.#host.stage.failed(error)),
      replay: (answer) => this.#replay(answer),
      answer: (answer) => this.#answer(answer.status, answer.verdict),
    });
  }

  /** The worker has died: what it had not sent is lost. */
  broken(): void {
    this.#finish({ kind: 'broken', back: 'nothing', out: false });
  }

  async #proceed(): Promise<void> {
    const { engine } = this.#host;
    const { session, request } = this.#context;
    const opened = session === null ? null : engine.open(session, request, this.#context.waitLeftMs);
    if (opened instanceof Promise) this.#say('waits for its session');
    let held: Held | null;
    try {
      held = opened instanceof Promise ? await opened : opened;
    } catch (error) {
      if (this.#isOver) return;
      // The app's error page: what the client learns is decided by the gate.
      this.#say(`is told ${codeOf(error)}`);
      this.#attach(null).fail(error);
      await this.#respond();
      return;
    }
    if (this.#isOver) return;
    if (held !== null) engine.touch(held);
    this.#hadSession = held !== null;
    this.#attach(held);
    this.#say(this.ask.deeds.length === 0 ? 'runs' : `runs: ${this.ask.deeds.map(sayDeed).join(', ')}`);
    this.work();
  }

  /** `session()` in front of the handler. */
  #attach(held: Held | null): RequestSession {
    const { engine } = this.#host;
    const owner = new RequestSession(engine, this.#context, this.#context.session, held, {
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
      end: (over) => {
        owner.end();
        over();
      },
    };
    return owner;
  }

  /** The handler goes on with what the script wants of it by now. */
  work(): void {
    if (this.#owner === null || this.#isOver || this.#isHeadSent) return;
    for (let deed = this.ask.deeds[this.#at]; deed !== undefined; deed = this.ask.deeds[this.#at]) {
      this.#at += 1;
      if (deed.kind === 'crash') {
        this.#host.crash();
        return;
      }
      try {
        this.#do(deed);
      } catch (error) {
        this.#say(`is told ${codeOf(error)}`);
      }
    }
    if (this.ask.isWhole) void this.#respond().catch((error) => this.#host.stage.failed(error));
  }

  #do(deed: Deed & { readonly kind: 'add' | 'put' | 'read' | 'logout' }): void {
    const session = this.#session;
    if (session === null) return;
    if (deed.kind === 'logout') {
      session.destroy().catch(() => {});
      this.#shown.push('signed out');
      return;
    }
    const { attribute } = deed;
    if (deed.kind === 'add') session[attribute] = Number(session[attribute] ?? 0) + 1;
    if (deed.kind === 'put') session[attribute] = deed.value;
    const value = session[attribute];
    this.#shown.push(this.#hadSession || value !== undefined ? `${attribute}=${String(value)}` : 'no session');
  }

  async #respond(): Promise<void> {
    const owner = this.#owner;
    if (owner === null) return;
    owner.assertCommittable();
    owner.announce(false);
    this.#isHeadSent = true;
    const asked = owner.reach(encode(this.#shown.join(' ')));
    const held = owner.held();
    const shown = held === null ? null : { id: held.id, version: held.mark.version };
    if (asked instanceof Promise) {
      this.#say(
        `is held${shown === null ? '' : ` until ${this.#host.stage.names.nameOf(shown.id)} v${shown.version} is safe`}`,
      );
    }
    const verdict = asked instanceof Promise ? await this.#withDeadline(asked) : asked;
    if (this.#isOver) return;
    const release = decideRelease(verdict, false);
    switch (release.kind) {
      case 'release':
        if (shown !== null) {
          const { node, views, stage } = this.#host;
          stage.released({ node, view: views.current }, this.ask, shown.id, shown.version);
        }
        this.#finish(heldAnswer(encode(this.#shown.join(' '))));
        return;
      case 'replay':
        this.#replay(release.answer);
        return;
      case 'answer':
        this.#answer(release.status, release.verdict);
        return;
      case 'cut':
        throw new Error('nothing of the answer was out');
      default:
        unreachable(release);
    }
  }

  #withDeadline(verdict: Promise<Verdict>): Promise<Verdict> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve({ kind: 'unknown', why: 'deadline' }), this.#context.waitLeftMs);
      verdict.then((found) => {
        clearTimeout(timer);
        resolve(found);
      }, this.#host.stage.failed);
    });
  }

  #replay(answer: Uint8Array): void {
    this.#say('is not run again: its log has the answer');
    this.#finish(heldAnswer(answer));
  }

  #answer(status: OwnAnswer['status'] | 409, verdict: OwnAnswer['verdict'] | 'gone'): void {
    const view = this.#host.views.current;
    if (status === 421) {
      this.#say(
        `is refused, nothing was executed: 421, ${view === null ? 'no view' : `view ${formatViewNumber(view)}`}`,
      );
      this.#finish({ kind: 'refused', view });
    } else if (verdict === null) throw new Error('no probes in a story');
    else this.#finish({ kind: 'verdict', outcome: verdict, isLate: status === 504 });
  }

  #finish(result: AttemptResult): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#done(result);
    if (!this.#host.isAlive) return;
    if (result.kind === 'held') this.#context.participant?.delivered();
    this.#leave();
  }

  #say(what: string): void {
    this.#host.stage.tell(`${this.#host.node}: ${this.ask.name} ${what}`);
  }
}

const encode = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

function heldAnswer(body: Uint8Array): AttemptResult {
  const head = { status: 200 } as Extract<AttemptResult, { kind: 'held' }>['head'];
  return { kind: 'held', head, body: [Buffer.from(body)] };
}

/** The code of what the product tells an app; anything else is a fault of the story. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) throw error;
  return String(error.code);
}

function sayDeed(deed: Deed): string {
  switch (deed.kind) {
    case 'add':
      return `${deed.attribute} += 1`;
    case 'put':
      return `${deed.attribute} = ${deed.value}`;
    case 'read':
      return `read ${deed.attribute}`;
    case 'logout':
      return 'log out';
    case 'crash':
      return 'crash';
    default:
      return unreachable(deed);
  }
}
