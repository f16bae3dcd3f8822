import type { Keyed, SessionId } from '@limpet/core';

/** Who runs under a key, and what it came with. */
interface Turn {
  readonly holder: object;
  readonly print: string;
}

/**
 * The Idempotency-Keys whose first request runs here. Taken in one step before anything is asked: whoever ran before has
 * committed by then, and nobody else begins.
 */
export class KeyTurns {
  readonly #turns = new Map<string, Turn>();

  /** `running`: the same request runs here already. `reused`: another request runs under the key. */
  take(session: SessionId, { key, print }: Keyed, holder: object): 'taken' | 'running' | 'reused' {
    const name = `${session} ${key}`;
    const turn = this.#turns.get(name);
    if (turn !== undefined) return turn.print === print ? 'running' : 'reused';
    this.#turns.set(name, { holder, print });
    return 'taken';
  }

  /** The holder's handler is done. Does nothing for whoever never had the turn. */
  give(session: SessionId, { key }: Keyed, holder: object): void {
    const name = `${session} ${key}`;
    if (this.#turns.get(name)?.holder === holder) this.#turns.delete(name);
  }
}
