import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Mutant } from './mutant.ts';

/** A trial that prints nothing for so long hangs, in milliseconds: a seed takes a fraction of a second. */
const hangMs = 60_000;

/** How a run of seeds ended. */
export type Trial =
  | { readonly kind: 'green' }
  /** `how`: the failed invariant, `crash` or `hang`; `what`: the checker's own words. */
  | { readonly kind: 'caught'; readonly seed: number; readonly how: string; readonly what: string }
  /** The process could not play. */
  | { readonly kind: 'broken'; readonly what: string };

/** Plays the seeds in a process of their own, in order, until one fails. Null: the product as it is. */
export function playTrial(mutant: Mutant | null, seeds: readonly number[], ticks: number): Promise<Trial> {
  const script = fileURLToPath(new URL('./trial.js', import.meta.url));
  const child = spawn(process.execPath, [script, mutant?.name ?? 'none', String(ticks), ...seeds.map(String)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let seed: number | null = null;
  let failure: string | null = null;
  let hangs = false;
  let said = '';
  let line = '';
  return new Promise((resolve) => {
    const giveUp = () => {
      hangs = true;
      child.kill('SIGKILL');
    };
    let timer = setTimeout(giveUp, hangMs);
    child.stdout.on('data', (text: Buffer) => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, hangMs);
      const lines = (line + text.toString()).split('\n');
      line = lines.pop() ?? '';
      for (const each of lines) {
        const told = JSON.parse(each) as { readonly seed?: number; readonly failure?: string };
        seed = told.seed ?? seed;
        failure = told.failure ?? failure;
      }
    });
    child.stderr.on('data', (text: Buffer) => {
      said = (said + text.toString()).slice(-4_000);
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve(judge({ seed, failure, hangs, code, said }));
    });
  });
}

interface Ended {
  readonly seed: number | null;
  readonly failure: string | null;
  readonly hangs: boolean;
  readonly code: number | null;
  readonly said: string;
}

function judge({ seed, failure, hangs, code, said }: Ended): Trial {
  if (seed === null) return { kind: 'broken', what: said };
  if (failure !== null) return { kind: 'caught', seed, how: howOf(failure), what: firstLine(failure) };
  if (hangs) return { kind: 'caught', seed, how: 'hang', what: `nothing for ${hangMs / 1000} s` };
  if (code !== 0) return { kind: 'caught', seed, how: 'crash', what: firstLine(errorOf(said)) };
  return { kind: 'green' };
}

const firstLine = (text: string): string => text.split('\n')[0] ?? '';
const errorOf = (said: string): string => said.split('\n').find((each) => /^\w*Error\b/.test(each)) ?? said.trim();
const howOf = (failure: string): string =>
  /^invariant \d+/.exec(failure)?.[0] ?? firstLine(failure).split(':')[0] ?? '';
