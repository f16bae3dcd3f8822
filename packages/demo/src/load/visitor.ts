import type { Answer } from './classify.ts';
import { classifyAnswer } from './classify.ts';
import { type Effect, emptyHistory, type History, stepHistory } from './history.ts';
import { countFindings, type Tally } from './tally.ts';

/** Every so many requests of a session one only looks. */
const readEvery = 5;

/** One session of the load: its cookie, its history, and the request it has under way. */
export class Visitor {
  readonly #tally: Tally;
  #history: History = emptyHistory;
  #cookies: ReadonlyMap<string, string> = new Map();
  #asked = 0;
  #effect: Effect = 'add';

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** The `Cookie` header, null before the first answer. */
  get cookie(): string | null {
    return this.#cookies.size === 0 ? null : [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  /** Whether it had a turn at all. */
  get wasAsked(): boolean {
    return this.#asked > 0;
  }

  /** Whether an answer has named its session; until then there is no counter to look at. */
  get isKnown(): boolean {
    return this.#history.marker !== null;
  }

  /** Begins the next request of the load and says what it is: most of them add. */
  ask(): Effect {
    this.#asked += 1;
    this.#tally.requests += 1;
    this.#effect = this.#asked % readEvery === 0 ? 'read' : 'add';
    return this.#effect;
  }

  /** Begins the last look, which is no part of the load. */
  askLast(): void {
    this.#effect = 'read';
  }

  /** Takes the answer, and returns whether it was one about the counter. */
  answered(answer: Answer, setCookies: readonly string[]): boolean {
    this.#keep(setCookies);
    if (answer.status < 200 || answer.status > 299) this.#tally.non2xx += 1;
    const happening = classifyAnswer(this.#effect, answer);
    if (happening.kind === 'uncertain') this.#tally.uncertain += 1;
    const { history, findings } = stepHistory(this.#history, happening);
    this.#history = history;
    countFindings(this.#tally, findings);
    return happening.kind === 'answered';
  }

  /** No answer came. `sent`: whether the request may have reached anybody. */
  unanswered(sent: boolean): void {
    this.#tally.errors += 1;
    if (!sent) return;
    this.#tally.uncertain += 1;
    this.#mayHaveRun();
  }

  /** The load ended before the answer came: it may have run, but nobody waited, so it counts nowhere. */
  abandoned(): void {
    this.#tally.requests -= 1;
    this.#mayHaveRun();
  }

  #mayHaveRun(): void {
    this.#history = stepHistory(this.#history, { kind: 'uncertain', effect: this.#effect }).history;
  }

  #keep(setCookies: readonly string[]): void {
    for (const line of setCookies) {
      const pair = (line.split(';', 1)[0] ?? '').trim();
      const equals = pair.indexOf('=');
      if (equals > 0) this.#cookies = new Map([...this.#cookies, [pair.slice(0, equals), pair.slice(equals + 1)]]);
    }
  }
}
