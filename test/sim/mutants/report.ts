import type { Mutant, Rule } from './mutant.ts';
import type { Trial } from './run.ts';
import { heldElsewhere, mutants } from './table.ts';

export interface Tried {
  readonly mutant: Mutant;
  readonly trial: Trial;
}

/** The rules a simulator can break, in order. */
export const rules = Array.from({ length: 21 }, (_, at): Rule => `P${at + 1}`);

/** What caught each mutant, as a Markdown page. */
export function formatReport(tried: readonly Tried[]): string {
  const rows = tried.map(({ mutant, trial }) => {
    const seeds = trial.kind === 'caught' ? String(trial.seed) : '–';
    return `| ${mutant.rule} | ${mutant.name} | ${mutant.why} | ${caughtBy(trial)} | ${seeds} |`;
  });
  const elsewhere = heldElsewhere.map(
    ({ rule, what, why, tests }) =>
      `- ${rule}, ${what}: ${why}. Held by ${tests.map((test) => `\`${test}\``).join(', ')}.`,
  );
  const covered = rules.filter((rule) => mutants.some((mutant) => mutant.rule === rule));
  return [
    '# The mutants of the simulator',
    '',
    'Written by `npm run sim -- --mutants --jobs 2 --report docs/mutants.md`; what it means: [decision 0022](decisions/0022-a-mutant-is-a-change-of-text.md).',
    '',
    `${tried.length} mutants of ${covered.length} rules. Seeds are played from 1 on, so the seed that catches a mutant is also how many it took.`,
    '',
    '| rule | broken | what goes wrong, and the invariant that should notice | caught by | at seed |',
    '|---|---|---|---|---|',
    ...rows,
    '',
    'Not broken in the simulator:',
    '',
    ...elsewhere,
    '',
  ].join('\n');
}

function caughtBy(trial: Trial): string {
  switch (trial.kind) {
    case 'caught':
      return trial.how;
    case 'green':
      return '**survives**';
    case 'broken':
      return '**does not run**';
  }
}
