/** Lines held back per start. */
const heldLinesMax = 500;
/** How long they are held back. */
const holdMs = 3_000;
/** Different failures remembered. */
const shownMax = 200;

/**
 * Shows the app's own error once when four nodes fail five times with it. What a worker writes before it is ready is
 * held back for a moment; a start that fails with words already shown for another one is not shown again. Numbers do
 * not count when words are compared: they are pids, times and node names.
 */
export class StartOutput {
  readonly #shown = new Set<string>();
  readonly #emit: (node: string, line: string) => void;

  constructor(emit: (node: string, line: string) => void) {
    this.#emit = emit;
  }

  /** The output of one start, until it is settled. */
  begin(node: string): HeldOutput {
    return new HeldOutput(
      (line) => this.#emit(node, line),
      (words) => this.#isNew(words),
    );
  }

  #isNew(words: string): boolean {
    const key = words.replace(/\d+/g, '#');
    if (this.#shown.has(key)) return false;
    if (this.#shown.size < shownMax) this.#shown.add(key);
    return true;
  }
}

export class HeldOutput {
  readonly #emit: (line: string) => void;
  readonly #isNew: (words: string) => boolean;
  readonly #timer: NodeJS.Timeout;
  #held: string[] | null = [];
  /** The last lines, held back or shown: where the reason of a failure is looked for. */
  readonly #last: string[] = [];

  constructor(emit: (line: string) => void, isNew: (words: string) => boolean) {
    this.#emit = emit;
    this.#isNew = isNew;
    this.#timer = setTimeout(() => this.release(), holdMs);
  }

  line(text: string): void {
    this.#last.push(text);
    if (this.#last.length > heldLinesMax) this.#last.shift();
    if (this.#held === null) this.#emit(text);
    else this.#held.push(text);
    if (this.#held?.length === heldLinesMax) this.release();
  }

  /** The worker is ready, or slow: what it writes is shown as it comes. */
  release(): void {
    clearTimeout(this.#timer);
    const lines = this.#held ?? [];
    this.#held = null;
    for (const line of lines) this.#emit(line);
  }

  /** The start has failed: shows what is held back unless it has been shown before. */
  fail(): void {
    const words = (this.#held ?? []).join('\n');
    if (words.trim() !== '' && !this.#isNew(words)) this.#held = null;
    this.release();
  }

  /** The line that says what went wrong, null when none looks like it. */
  reason(): string | null {
    const line = this.#last.find((text) => errorPattern.test(text));
    return line === undefined ? null : line.trim().slice(0, reasonCharactersMax);
  }
}

const reasonCharactersMax = 300;
/** `Error: …`, `TypeError [CODE]: …` as Node prints an uncaught one, or `LIMPET_…: …` as the preload does. */
const errorPattern = /^(?:Uncaught )?(?:[\w.]*(?:Error|Exception)(?: \[\w+\])?|LIMPET_\w+): \S/;
