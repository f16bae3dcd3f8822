import { randomBytes } from 'node:crypto';
import { type RequestId, type SessionId, sipKey } from '@limpet/core';
import { decode } from './codec.ts';
import type { CommitInput, Engine, Held, Recalled, Verdict } from './engine.ts';
import { nextRequest } from './engine-compliance.test-suite.ts';
import { createMemoryEngine } from './memory-engine.ts';
import { RequestSession } from './request-session.ts';
import { ResponseCookie } from './session-cookie.ts';
import type { Session } from './types.ts';

/** What a test keeps in a session: anything. */
export type Loose = Session & Record<string, unknown>;

/** One commit as the engine was given it. */
export interface Recorded {
  readonly request: RequestId;
  readonly id: SessionId;
  readonly input: CommitInput;
  readonly verdict: Verdict['kind'];
}

/** A running request on a memory engine, without HTTP. */
export interface Running {
  readonly request: RequestId;
  readonly owner: RequestSession;
  readonly session: Loose;
  /** The head has been written: no cookie can follow. */
  head(): void;
  /** The whole response at once: head, commit, end. */
  finish(): Verdict['kind'];
}

/** Requests side by side on one memory engine whose commits are written down. */
export class Harness {
  readonly commits: Recorded[] = [];
  /** The requests that waited for what another had committed. */
  readonly waits: RequestId[] = [];
  readonly engine: Engine;
  readonly #memory = createMemoryEngine({ macKeys: [sipKey(randomBytes(16))], idleMs: 60_000, absoluteMs: 600_000 });

  constructor() {
    const commit = (held: Held, request: RequestId, input: CommitInput): Verdict => {
      const verdict = this.#memory.commit(held, request, input) as Verdict;
      this.commits.push({ request, id: held.id, input, verdict: verdict.kind });
      return verdict;
    };
    const safe = (held: Held, request: RequestId): Verdict => {
      this.waits.push(request);
      return this.#memory.safe(held, request) as Verdict;
    };
    const memory = this.#memory;
    this.engine = new Proxy(memory, {
      get: (_, name) => {
        if (name === 'commit') return commit;
        if (name === 'safe') return safe;
        const value: unknown = Reflect.get(memory, name);
        return typeof value === 'function' ? value.bind(memory) : value;
      },
    });
  }

  get counts() {
    return this.#memory.counts;
  }

  begin(id: SessionId | null): Running {
    const request = nextRequest();
    const held = id === null ? null : (this.#memory.open(id, request) as Held | null);
    let shown: Session | undefined;
    let isHeadSent = false;
    const owner = new RequestSession(this.engine, { request, keyed: null }, id, held, {
      isHeadSent: () => isHeadSent,
      makeCookie: () => new ResponseCookie({}),
      show: (session) => {
        shown = session;
      },
    });
    return {
      request,
      owner,
      get session() {
        return shown as Loose;
      },
      head() {
        if (!isHeadSent) owner.announce(false);
        isHeadSent = true;
      },
      finish() {
        this.head();
        const verdict = owner.reach(null) as Verdict;
        owner.end();
        return verdict.kind;
      },
    };
  }

  /** A session with these attributes, committed. */
  make(values: Readonly<Record<string, unknown>>): SessionId {
    const running = this.begin(null);
    Object.assign(running.session, values);
    running.finish();
    return running.session.id as SessionId;
  }

  /** What is committed, as another node would decode it; null: no such session. */
  committed(id: SessionId): Record<string, unknown> | null {
    const request = nextRequest();
    const held = this.#memory.open(id, request) as Held | null;
    this.#memory.close(id, request);
    return held && Object.fromEntries([...held.attributes].map(([name, bytes]) => [name, decode(bytes)]));
  }

  logged(id: SessionId, request: RequestId) {
    return (this.#memory.recall(id, request, null) as Recalled).entry;
  }
}
