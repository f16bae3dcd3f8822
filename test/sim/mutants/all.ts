import { writeFileSync } from 'node:fs';
import type { Mutant } from './mutant.ts';
import { formatReport, type Tried } from './report.ts';
import { playTrial, type Trial } from './run.ts';
import { mutants } from './table.ts';

/** Processes side by side, at least: the machine may as well play two worlds as one. */
const jobsMin = 2;
/** The product as it is must be green over these, and over every seed that catches a mutant. */
const controlSeeds = 50;

const { stdout } = process;
const say = (line: string): void => void stdout.write(`${line}\n`);
const span = (from: number, to: number): readonly number[] => Array.from({ length: to - from }, (_, at) => from + at);

/** What is asked of a run of all mutants. */
export interface Wish {
  /** A mutant that lives through so many survives. */
  readonly seeds: number;
  readonly ticks: number;
  readonly jobs: number;
  /** Only this mutant, or those of this rule; null: all. */
  readonly mutant: string | null;
  /** The table is written there as Markdown; null: nowhere. */
  readonly report: string | null;
}

/** Plays every mutant until it is caught. Resolves to the exit code: 1 when one survives, or the product itself fails. */
export async function tryMutants(wish: Wish): Promise<number> {
  const startedAt = performance.now();
  const chosen = mutants.filter(({ name, rule }) => wish.mutant === null || [name, rule].includes(wish.mutant));
  if (chosen.length === 0) throw new Error(`there is no mutant "${wish.mutant}", and none of that rule`);
  const jobs = Math.max(jobsMin, wish.jobs);
  const control = new Control(wish.ticks);
  const first = Math.min(controlSeeds, wish.seeds);
  say(`the product as it is, seeds 1 to ${first}`);
  await control.playAll(first, jobs);
  const tried: Tried[] = [];
  const queue = [...chosen];
  const work = async () => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const beganAt = performance.now();
      const trial = await tryOne(mutant, wish, control);
      tried.push({ mutant, trial });
      const seconds = ((performance.now() - beganAt) / 1_000).toFixed(1);
      say(`${tried.length}/${chosen.length} ${mutant.rule} ${mutant.name}: ${tell(trial, wish.seeds)}, ${seconds} s`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  tried.sort((a, b) => mutants.indexOf(a.mutant) - mutants.indexOf(b.mutant));
  const table = formatReport(tried);
  say(table);
  if (wish.report !== null) writeFileSync(wish.report, table);
  const alive = tried.filter(({ trial }) => trial.kind !== 'caught');
  for (const { mutant } of alive) say(`SURVIVES: ${mutant.rule} ${mutant.name}`);
  for (const [seed, what] of control.failed) say(`THE PRODUCT AS IT IS FAILS: seed ${seed}: ${what}`);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
  say(`${tried.length - alive.length} of ${tried.length} mutants caught in ${seconds} s`);
  return alive.length > 0 || control.failed.size > 0 ? 1 : 0;
}

/** What a seed by which the product itself fails says about a mutant is nothing: it is played on behind it. */
async function tryOne(mutant: Mutant, { seeds, ticks }: Wish, control: Control): Promise<Trial> {
  let from = 1;
  for (;;) {
    const trial = await playTrial(mutant, span(from, seeds + 1), ticks);
    if (trial.kind !== 'caught' || (await control.isGreen(trial.seed))) return trial;
    from = trial.seed + 1;
    if (from > seeds) return { kind: 'green' };
  }
}

/** The product as it is, over the seeds that matter: each is played once. */
class Control {
  readonly #ticks: number;
  readonly #green = new Set<number>();
  /** By seed, in the checker's words. */
  readonly failed = new Map<number, string>();

  constructor(ticks: number) {
    this.#ticks = ticks;
  }

  /** The seeds from 1, shared among the jobs. */
  async playAll(seeds: number, jobs: number): Promise<void> {
    const all = span(1, seeds + 1);
    await Promise.all(span(0, jobs).map((job) => this.#play(all.filter((_, at) => at % jobs === job))));
  }

  async isGreen(seed: number): Promise<boolean> {
    if (!this.#green.has(seed) && !this.failed.has(seed)) await this.#play([seed]);
    return this.#green.has(seed);
  }

  async #play(seeds: readonly number[]): Promise<void> {
    if (seeds.length === 0) return;
    const trial = await playTrial(null, seeds, this.#ticks);
    if (trial.kind === 'broken') throw new Error(`the simulator does not run: ${trial.what}`);
    const failedAt = trial.kind === 'caught' ? seeds.indexOf(trial.seed) : seeds.length;
    for (const seed of seeds.slice(0, failedAt)) this.#green.add(seed);
    if (trial.kind !== 'caught') return;
    this.failed.set(trial.seed, trial.what);
    await this.#play(seeds.slice(failedAt + 1));
  }
}

function tell(trial: Trial, seeds: number): string {
  if (trial.kind === 'green') return `SURVIVES ${seeds} seeds`;
  if (trial.kind === 'broken') return `does not run: ${trial.what}`;
  return `seed ${trial.seed}, ${trial.how === firstWords(trial.what) ? '' : `${trial.how}: `}${trial.what.slice(0, 120)}`;
}

const firstWords = (what: string): string => what.split(':')[0] ?? '';
