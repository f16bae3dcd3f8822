/** What `npm run sim` is told. */
export interface Options {
  /** The first seed. */
  readonly seed: number;
  readonly seeds: number;
  /** Milliseconds of virtual time in which faults happen. */
  readonly ticks: number;
  /** Processes that play at once. */
  readonly jobs: number;
  /** Try the simulator itself instead: play with each rule broken, in up to `seeds` seeds (here 2,000 when not told). */
  readonly mutants: boolean;
  /** Only this mutant, or those of this rule. */
  readonly mutant: string | null;
  /** Where the report goes: Markdown, or JSON by the name's end. */
  readonly report: string | null;
  /** Print the whole log of every seed. */
  readonly log: boolean;
  /** No cell of the table of faults and moments may stay at zero. */
  readonly cells: boolean;
}

const numbers = { seed: 1, seeds: 100, ticks: 2_000, jobs: 1 };
const flags = ['mutants', 'log', 'cells'] as const;
const texts = ['report', 'mutant'] as const;

/** Seeds that a mutant must not live through. */
const mutantSeeds = 2_000;

/** Throws with a sentence for what it does not understand. */
export function parseOptions(given: readonly string[]): Options {
  const found: Record<string, number | string | boolean | null> = { ...numbers };
  for (const name of flags) found[name] = false;
  for (const name of texts) found[name] = null;
  for (let at = 0; at < given.length; at += 1) {
    const name = given[at]?.replace(/^--/, '') ?? '';
    const next = given[at + 1];
    if (name in numbers) {
      const value = Number(next);
      if (!Number.isSafeInteger(value) || value < 1)
        throw new Error(`--${name} wants a whole number from 1, not ${next}`);
      found[name] = value;
      at += 1;
    } else if (texts.some((text) => text === name)) {
      if (next === undefined) throw new Error(`--${name} wants a value`);
      found[name] = next;
      at += 1;
    } else if (flags.some((flag) => flag === name)) found[name] = true;
    else throw new Error(`unknown option ${given[at]}`);
  }
  found['mutants'] = found['mutants'] === true || found['mutant'] !== null;
  if (found['mutants'] && !given.includes('--seeds')) found['seeds'] = mutantSeeds;
  return found as unknown as Options;
}
