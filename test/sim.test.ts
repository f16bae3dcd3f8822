import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const main = new URL('./sim/dist/main.js', import.meta.url).pathname;

/** Its exit code and what it printed. */
async function sim(...options: string[]): Promise<{ readonly code: number; readonly out: string }> {
  try {
    const { stdout } = await run(process.execPath, [main, ...options], { maxBuffer: 64 * 1024 * 1024 });
    return { code: 0, out: stdout };
  } catch (error) {
    const { code, stdout } = error as { readonly code: number; readonly stdout: string };
    return { code, out: stdout };
  }
}

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'limpet-sim-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('simulation: sixty seeds of faults: no invariant is broken, and the report says what was done', async () => {
  const report = join(folder, 'report.json');
  const { code, out } = await sim('--seeds', '60', '--jobs', '2', '--report', report);
  expect(out).toContain(' 0 failed');
  expect(code).toBe(0);
  const told: { counts: Record<string, number>; failures: unknown[]; seeds: number } = JSON.parse(
    await readFile(report, 'utf8'),
  );
  expect(told.seeds).toBe(60);
  expect(told.failures).toEqual([]);
  expect(told.counts['operations']).toBeGreaterThan(1_000);
  expect(told.counts['kill']).toBeGreaterThan(10);
});

test('simulation: the same seed twice: the same log, byte for byte', async () => {
  const logOf = async (seed: string) => {
    const { out } = await sim('--seed', seed, '--seeds', '1', '--log');
    return out.slice(0, out.lastIndexOf('1 seeds,'));
  };
  for (const seed of ['7', '16']) {
    const [first, second, other] = [await logOf(seed), await logOf(seed), await logOf('8')];
    expect(first.length).toBeGreaterThan(10_000);
    expect(second).toBe(first);
    expect(other).not.toBe(first);
  }
});

test('simulation: a rule is broken: it is caught, with its seed; in a world too short to tell, it survives', async () => {
  const told = await sim('--mutant', 'the answer does not wait', '--seeds', '20');
  expect(told.out).toMatch(/P4 the answer does not wait: seed \d+, invariant 5: /);
  expect(told.out).toContain('1 of 1 mutants caught');
  expect(told.code).toBe(0);
  // Nobody joins or dies within a millisecond, so nothing is ever handed down.
  const harmless = await sim('--mutant', 'a demoted record is not handed down', '--seeds', '1', '--ticks', '1');
  expect(harmless.out).toContain('SURVIVES 1 seeds');
  expect(harmless.code).toBe(1);
});

test('simulation: options that it does not know: refused', async () => {
  expect((await sim('--seed', 'x')).code).toBe(2);
  expect((await sim('--faster')).out).toContain('unknown option --faster');
});
