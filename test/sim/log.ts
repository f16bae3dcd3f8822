interface Line {
  readonly atMs: number;
  readonly who: string;
  readonly what: string | (() => string);
}

const format = ({ atMs, who, what }: Line): string =>
  `${atMs.toFixed(3).padStart(10)} ${who.padEnd(7)} ${typeof what === 'string' ? what : what()}`;

/** What happened, as text. Kept whole only when asked for: a seed makes tens of thousands of lines. */
export class Log {
  readonly #clock: () => number;
  readonly #keepsAll: boolean;
  #lines: Line[] = [];
  readonly views: string[] = [];

  constructor(clock: () => number, keepsAll: boolean) {
    this.#clock = clock;
    this.#keepsAll = keepsAll;
  }

  /** A function is asked only when the line is read: most never are. It must not look at what changes. */
  line(who: string, what: string | (() => string)): void {
    this.#lines.push({ atMs: this.#clock(), who, what });
    if (!this.#keepsAll && this.#lines.length > 2 * lastLines) this.#lines = this.#lines.slice(-lastLines);
  }

  view(text: string): void {
    this.views.push(`${this.#clock().toFixed(3).padStart(10)} ${text}`);
    this.line('view', text);
  }

  get last(): readonly string[] {
    return this.#lines.slice(-lastLines).map(format);
  }

  get all(): readonly string[] {
    return this.#lines.map(format);
  }
}

/** Printed with a failure. */
export const lastLines = 200;
