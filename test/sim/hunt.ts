import { playSeeds } from './jobs.ts';
import type { Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';
import type { Options } from './options.ts';

export interface Hunted {
  readonly mutant: Mutant;
  /** The seed that caught it, null when none did. */
  readonly seed: number | null;
  readonly what: string;
}

/** Plays against every broken rule until a seed catches it: the simulator is tried, not the product. */
export async function hunt(options: Options, told: (hunted: Hunted) => void): Promise<readonly Hunted[]> {
  const left = mutants.filter(({ name }) => options.mutant === null || name === options.mutant);
  const found: Hunted[] = [];
  const next = async (): Promise<void> => {
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      const hunted = await huntOne(options, mutant);
      found.push(hunted);
      told(hunted);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, next));
  return found;
}

async function huntOne(options: Options, mutant: Mutant): Promise<Hunted> {
  const { seed: first, seeds, ticks } = options;
  const play = { first, seeds, ticks, jobs: 1, stopsAtFailure: true, keepsLog: false, mutant: mutant.name };
  const { failures } = await playSeeds({ ...play, progress: () => {} });
  const [failure] = failures;
  return { mutant, seed: failure?.seed ?? null, what: failure?.what.split('\n')[0] ?? '' };
}
