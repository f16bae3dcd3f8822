#!/usr/bin/env node
import { loadHelp, readOptions } from './load/options.ts';
import { formatJson, formatReport } from './load/report.ts';
import { runLoad } from './load/run.ts';
import { isWhole } from './load/tally.ts';
import { findTarget, refuseTarget } from './load/target.ts';

async function main(): Promise<number> {
  const read = readOptions(process.argv.slice(2));
  if (read.kind === 'help') {
    console.log(loadHelp);
    return 0;
  }
  if (read.kind === 'wrong') {
    for (const problem of read.problems) console.error(`load: ${problem}`);
    return 2;
  }
  const { options } = read;
  const url = await findTarget(options.url, options.runDir);
  const refused = await refuseTarget(url);
  if (refused !== null) {
    console.error(`load: ${refused}`);
    return 1;
  }
  const result = await runLoad(options, url, stopOnInterrupt);
  console.log(options.json ? formatJson(result) : formatReport(result));
  return isWhole(result.tally) ? 0 : 1;
}

/** Ctrl-C ends the load early, with its table; a second one ends at once. Under npm each arrives twice within a millisecond. */
function stopOnInterrupt(stop: () => void): void {
  let firstAt: number | null = null;
  process.on('SIGINT', () => {
    firstAt ??= performance.now();
    if (performance.now() - firstAt > 1_000) process.exit(130);
    stop();
  });
}

process.exitCode = await main();
