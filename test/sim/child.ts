import { installVirtualHost } from './host.ts';
import { addResult, emptyTally } from './tally.ts';

/*
 * One job: plays every `step`th seed from `first`, and tells its parent what came of it. The clock and the dice of this
 * process are the simulated ones from here on, so its parent measures the time.
 */
const nextTurn = setImmediate;
installVirtualHost();
const { playSeed } = await import('./seed.ts');

const [first, seeds, step, ticks, keepsLog] = process.argv.slice(2).map(Number) as [
  number,
  number,
  number,
  number,
  number,
];
let tally = emptyTally();
const tell = () =>
  new Promise<void>((resolve) => {
    process.send?.(tally, undefined, {}, () => resolve());
    tally = emptyTally();
  });

/** Seeds between two words to the parent. */
const batch = 25;

for (let at = 0; at < seeds; at += step) {
  const result = await playSeed(first + at, ticks, keepsLog === 1);
  addResult(tally, result);
  if (keepsLog === 1) process.stdout.write(`${result.log.join('\n')}\n`);
  if (tally.seeds >= batch) await tell();
  await new Promise((resolve) => nextTurn(resolve));
}
if (tally.seeds > 0) await tell();
process.disconnect?.();
