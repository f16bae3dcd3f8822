import type { Keyed, RequestId } from '@limpet/core';
import type { CommitInput, Engine, Held, Participant, Verdict } from '@limpet/session';

/**
 * Stands for a request with an Idempotency-Key whose handler has not met `session()`, or never does: its answer is kept in the
 * client's session all the same, by a commit that changes nothing else.
 */
export class AnswerKeeper implements Participant {
  readonly #engine: Engine;
  readonly #held: Held;
  readonly #request: RequestId;
  readonly #keyed: Keyed;
  #isLogged = false;

  constructor(engine: Engine, held: Held, request: RequestId, keyed: Keyed) {
    this.#engine = engine;
    this.#held = held;
    this.#request = request;
    this.#keyed = keyed;
  }

  /** Without an answer the key alone: known before a byte is out, it is never run a second time. */
  reach(answer: Uint8Array | null): Verdict | Promise<Verdict> {
    if (this.#isLogged && answer === null) return { kind: 'safe' };
    this.#isLogged = true;
    const input: CommitInput = {
      change: { set: new Map(), remove: [] },
      destroy: false,
      carries: [],
      answer,
      keyed: this.#keyed,
      bury: null,
    };
    const verdict = this.#engine.commit(this.#held, this.#request, input);
    return verdict instanceof Promise ? verdict.then(unlessGone) : unlessGone(verdict);
  }

  delivered(): void {
    this.#engine.delivered(this.#held, this.#request);
  }

  end(over: () => void): void {
    if (!this.#isLogged) {
      const verdict = this.reach(null);
      // Nobody waits for it any more: the response is over.
      if (verdict instanceof Promise) verdict.catch(() => {});
    }
    this.#engine.close(this.#held.id, this.#request);
    over();
  }

  held(): Held {
    return this.#held;
  }
}

/** The session has ended meanwhile: the handler has lost nothing by it, only the answer is not kept. */
const unlessGone = (verdict: Verdict): Verdict => (verdict.kind === 'gone' ? { kind: 'safe' } : verdict);
