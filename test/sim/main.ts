import { findEmptyCells } from './cells.ts';
import { playSeeds } from './jobs.ts';
import { tryMutants } from './mutants/all.ts';
import { type Options, parseOptions } from './options.ts';
import { writeReport } from './report.ts';
import type { Failure, Tally } from './tally.ts';

/** How often a long run says how far it is, in milliseconds. */
const progressMs = 10_000;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function readOptions(): Options {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    process.exit(2);
  }
}

const options = readOptions();
process.exitCode = options.mutants ? await tryMutants(options) : await play();

async function play(): Promise<number> {
  const startedAt = performance.now();
  let toldAt = startedAt;
  const progress = (tally: Tally): void => {
    const now = performance.now();
    if (now - toldAt < progressMs) return;
    toldAt = now;
    const leftS = ((now - startedAt) / tally.seeds) * (options.seeds - tally.seeds) * 0.001;
    say(`${tally.seeds} of ${options.seeds} seeds, ${tally.failures.length} failed, about ${Math.round(leftS)} s left`);
  };
  const { seed: first, seeds, ticks, jobs, log: keepsLog } = options;
  const tally = await playSeeds({ first, seeds, ticks, jobs, keepsLog, progress });
  const seconds = (performance.now() - startedAt) / 1_000;
  for (const failure of tally.failures) sayFailure(failure);
  if (options.report !== null) writeReport(options.report, options, tally, seconds);
  const empty = options.cells ? findEmptyCells(tally.cells) : [];
  for (const cell of empty) say(`never tried: ${cell}`);
  const { operations = 0, kill = 0 } = tally.counts;
  say(
    `${tally.seeds} seeds, ${operations} requests, ${kill} kills, ${tally.failures.length} failed, ${seconds.toFixed(1)} s`,
  );
  return tally.failures.length > 0 || empty.length > 0 ? 1 : 0;
}

function sayFailure({ seed, what, views, last }: Failure): void {
  say(`\nseed ${seed}: ${what}`);
  say(`again: npm run sim -- --seed ${seed} --seeds 1 --ticks ${options.ticks} --log`);
  if (views.length > 0) say(['views:', ...views, 'last events:', ...last].join('\n'));
}
