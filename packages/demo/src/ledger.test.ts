import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ledgerDelayMs, openLedger } from './ledger.ts';
import { formatLedger, generateLedger, ledgerLines, parseLedger, seedOf } from './ledger-lines.ts';
import { summarise } from './summary.ts';

test('ledger: one account: the same lines every time, others for another account', () => {
  const lines = formatLedger(generateLedger(seedOf('harbour')));
  expect(formatLedger(generateLedger(seedOf('harbour')))).toBe(lines);
  expect(formatLedger(generateLedger(seedOf('pier')))).not.toBe(lines);
});

test('ledger: generated: thousands of lines in order of days, never overdrawn at the end', () => {
  for (const account of ['harbour', 'pier', 'a', 'b', 'c']) {
    const entries = generateLedger(seedOf(account));
    expect(entries).toHaveLength(ledgerLines);
    expect(parseLedger(formatLedger(entries))).toEqual(entries);
    expect(entries.map((entry) => entry.day)).toEqual(entries.map((entry) => entry.day).sort());
    expect(summarise(entries).balanceCents).toBeGreaterThan(0);
  }
});

test('ledger: two nodes ask at once: both read the same file after the delay', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'limpet-ledger-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const startedAt = performance.now();
  const [one, two] = await Promise.all([openLedger(folder).summary('pier'), openLedger(folder).summary('pier')]);
  expect(performance.now() - startedAt).toBeGreaterThan(ledgerDelayMs - 2);
  expect(one).toEqual(two);
  expect(await readdir(folder)).toHaveLength(1);
});
