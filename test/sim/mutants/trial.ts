import { register } from 'node:module';
import { installVirtualHost } from '../host.ts';
import { editsOf } from './mutant.ts';
import { root } from './root.ts';
import { mutants } from './table.ts';

/**
 * The process of one trial: `trial.js NAME TICKS SEED…` plays the seeds in the world that the mutant makes ("none": the
 * product as it is) until one fails. On each line a seed that begins, or what it failed by.
 */
const [name = '', ticks = '', ...seeds] = process.argv.slice(2);
const { stdout } = process;
const mutant = mutants.find((each) => each.name === name) ?? null;
if (mutant === null && name !== 'none') throw new Error(`there is no mutant "${name}"`);
if (mutant !== null) register('./loader.js', { parentURL: import.meta.url, data: { mutant, root: root.href } });

installVirtualHost();
const { playSeed } = await import('../seed.ts');
if (mutant !== null) assertMutated(editsOf(mutant).map(({ file }) => file));

for (const seed of seeds) {
  stdout.write(`${JSON.stringify({ seed: Number(seed) })}\n`);
  const { failure } = await playSeed(Number(seed), Number(ticks));
  if (failure === null) continue;
  stdout.write(`${JSON.stringify({ failure })}\n`);
  break;
}

function assertMutated(files: readonly string[]): void {
  const mutated = (globalThis as { mutated?: ReadonlySet<string> }).mutated;
  for (const file of files) {
    if (mutated?.has(file) !== true) throw new Error(`mutant "${name}": the simulator does not load ${file}`);
  }
}
