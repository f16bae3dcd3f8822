import { afterAll, beforeAll, expect, test } from 'vitest';
import { fuzz } from './fuzz.ts';
import { Rig } from './rig.ts';

/** A day's seed can be given: the same one gives the same inputs. */
const seed = Number(process.env['LIMPET_FUZZ_SEED'] ?? 4);
const cases = 2_500;

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(() => rig.close());

test('broken requests of a grammar: each refused, or forwarded as the strict reader reads it; victims unchanged', async () => {
  const tally = await fuzz(rig, seed, cases);
  expect(rig.failures).toEqual([]);
  expect(tally.cases).toBe(cases);
  // Neither a balancer that refuses everything nor inputs that are all sound would pass.
  for (const kind of ['served', 'refused', 'open'] as const) expect(tally[kind], kind).toBeGreaterThan(cases / 100);
});
