import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { emptyCells, faultNames, moments } from './cells.ts';
import type { Options } from './options.ts';
import type { Tally } from './tally.ts';

const machine = (): string =>
  `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} processors, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${process.platform}`;

/** The table of faults and moments, as Markdown. */
export function formatCells(cells: Readonly<Record<string, number>>): string {
  const head = `| fault | ${moments.join(' | ')} |\n|---|${moments.map(() => '--:').join('|')}|\n`;
  const rows = faultNames.map((fault) => {
    const row = moments.map((moment) => {
      const cell = `${fault} × ${moment}`;
      return cell in emptyCells ? '–' : String(cells[cell] ?? 0);
    });
    return `| ${fault} | ${row.join(' | ')} |`;
  });
  return `${head}${rows.join('\n')}\n`;
}

export function writeReport(path: string, options: Options, tally: Tally, seconds: number): void {
  const { seed, seeds, ticks, jobs } = options;
  if (path.endsWith('.json')) {
    const { counts, cells, failures } = tally;
    const content = { seed, seeds: tally.seeds, ticks, jobs, machine: machine(), seconds, counts, cells, failures };
    writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`);
    return;
  }
  const counts = Object.entries(tally.counts).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = `# Simulation: ${tally.seeds} seeds

\`npm run sim -- --seed ${seed} --seeds ${seeds} --ticks ${ticks} --jobs ${jobs}\`

- Machine: ${machine()}
- Time: ${Math.round(seconds)} s
- Seeds: ${seed} to ${seed + seeds - 1}, ${ticks} ms of faults each
- Violations: ${tally.failures.length}${tally.failures.length === 0 ? '' : ` (seeds ${tally.failures.map((failure) => failure.seed).join(', ')})`}

## Counts

| what | how often |
|---|--:|
${counts.map(([name, count]) => `| ${name} | ${count} |`).join('\n')}

## Faults and moments

How often each fault met each moment. –: cannot be, see \`test/sim/cells.ts\`.

${formatCells(tally.cells)}`;
  writeFileSync(path, text);
}
