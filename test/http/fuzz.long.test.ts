import { expect, test } from 'vitest';
import { fuzz } from './fuzz.ts';
import { Rig } from './rig.ts';

/** How many, and from where: the same seed gives the same inputs. */
const cases = Number(process.env['LIMPET_FUZZ_CASES'] ?? 100_000);
const seed = Number(process.env['LIMPET_FUZZ_SEED'] ?? 1_000);
/** A balancer that has served this many is replaced, so that what the test remembers stays small. */
const perRig = 5_000;

test(`broken requests of a grammar, ${cases} of them: each refused, or forwarded as the strict reader reads it`, async () => {
  let done = 0;
  for (let round = 0; done < cases; round++) {
    const rig = await Rig.start();
    const tally = await fuzz(rig, seed + round, Math.min(perRig, cases - done));
    expect(rig.failures).toEqual([]);
    done += tally.cases;
    await rig.close();
  }
  expect(done).toBe(cases);
});
