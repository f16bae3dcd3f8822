import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { corpus, type Row } from './corpus.ts';
import { hiddenCodings, methodsWithFramings, namedInConnection, sensitive } from './mutations.ts';
import { Oracle } from './oracle.ts';
import { Rig } from './rig.ts';

/** Writes of one input that nothing may depend on. Inputs above 600 bytes go in 600 pieces instead of single bytes. */
const segmentations: readonly (readonly [name: string, cut: (text: string) => readonly string[]])[] = [
  ['whole', (text) => [text]],
  ['byte by byte', (text) => cutEvery(text, Math.ceil(text.length / 600))],
  ['split before every CRLF', (text) => text.split(/(?=\r\n)/)],
];

function cutEvery(text: string, size: number): readonly string[] {
  return Array.from({ length: Math.ceil(text.length / size) }, (_, at) => text.slice(at * size, (at + 1) * size));
}

let rig: Rig;
let oracle: Oracle;
beforeAll(async () => {
  rig = await Rig.start();
  oracle = new Oracle(rig);
});
afterAll(async () => {
  oracle.close();
  expect(rig.failures).toEqual([]);
  await rig.close();
});

/** One input in one way; everything that is wrong with it names the input. */
async function examine(name: string, text: string, cut: (text: string) => readonly string[], isReused: boolean) {
  try {
    return await oracle.examine(cut(text), isReused);
  } catch (error) {
    throw new Error(`${name}: ${JSON.stringify(text.slice(0, 500))}`, { cause: error });
  }
}

async function examineRows(rows: readonly Row[], cut: (text: string) => readonly string[]): Promise<void> {
  for (const [name, text, verdict] of rows) {
    for (const isReused of [false, true]) {
      const { served, refused, isOpen } = await examine(name, text, cut, isReused);
      const where = `${name}, ${isReused ? 'reused' : 'fresh'}`;
      expect(isOpen, where).toBe(false);
      if (verdict === 'served') expect([served > 0, refused], where).toEqual([true, null]);
      else {
        expect(served, where).toBe(0);
        expect(verdict, where).toContain(refused);
      }
    }
  }
}

describe.each(segmentations)('%s', (_, cut) => {
  test('the table of raw inputs: each refused with its status, or forwarded as it is', () => examineRows(corpus, cut));

  test('methods with framings: each forwarded with one framing, a body stays a body', async () => {
    const rows = methodsWithFramings();
    expect(rows).toHaveLength(50);
    await examineRows(rows, cut);
  });

  test('sensitive names in Connection: each refused', async () => {
    expect(sensitive).toHaveLength(25);
    await examineRows(namedInConnection(), cut);
  });

  test('the coding in disguise: refused, or one request as the strict reader reads it', async () => {
    let refused = 0;
    for (const [at, text] of hiddenCodings().entries()) {
      const outcome = await examine(`disguise ${at}`, text, cut, at % 2 === 1);
      if (outcome.refused !== null) refused += 1;
    }
    expect(refused).toBeGreaterThan(300);
  });
});

test('the sizes of the sets: none has shrunk', () => {
  expect([corpus.length, hiddenCodings().length, namedInConnection().length]).toEqual([122, 396, 100]);
});
