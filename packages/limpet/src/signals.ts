import { closeSync, openSync } from 'node:fs';

/** What a signal asks for. */
export type Wish =
  /** Finish what runs, then exit 0. */
  | { readonly kind: 'drain'; readonly signal: string }
  /** End everything at once, exit 130. */
  | { readonly kind: 'end' }
  /** Said in a log line where there is something to say, nothing else. */
  | { readonly kind: 'ignore'; readonly why: string | null };

/** npm and the terminal each deliver a Ctrl-C to a script under `exec`, within a millisecond of each other. */
export const secondInterruptMs = 1000;

/** Turns signals into wishes. `nowMs`: any monotonic clock. */
export class SignalRules {
  readonly #hasTerminal: boolean;
  #drainingSince: number | null = null;

  constructor(hasTerminal: boolean) {
    this.#hasTerminal = hasTerminal;
  }

  step(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', nowMs: number): Wish {
    if (signal === 'SIGHUP' && !this.#hasTerminal) {
      return { kind: 'ignore', why: 'SIGHUP without a terminal: nothing is reloaded yet, nothing changes' };
    }
    if (this.#drainingSince === null) {
      this.#drainingSince = nowMs;
      return { kind: 'drain', signal };
    }
    if (signal === 'SIGINT' && nowMs - this.#drainingSince >= secondInterruptMs) return { kind: 'end' };
    return { kind: 'ignore', why: null };
  }
}

/**
 * Whether a hang-up means that somebody closed a terminal: there is a controlling one, and it is used. Under `nohup`
 * none of the three streams is a terminal; node undoes the ignored SIGHUP that nohup sets, so it is honoured here.
 */
export function hasTerminal(): boolean {
  if (!process.stdin.isTTY && !process.stdout.isTTY && !process.stderr.isTTY) return false;
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
