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
  const result = await runLoad(options, url, (stop) => process.once('SIGINT', stop));
  console.log(options.json ? formatJson(result) : formatReport(result));
  return isWhole(result.tally) ? 0 : 1;
}

process.exitCode = await main();
