import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { counterApp, temporaryFolder } from './support/cluster.ts';
import { runLimpet } from './support/command.ts';

/** Runs `limpet drill` to its end, with its report as JSON. */
async function drill(...flags: readonly string[]) {
  const folder = temporaryFolder();
  const file = join(folder, 'report.md');
  const result = await runLimpet(['drill', ...flags, '--json', '--report', file], { folder, timeoutMs: 85_000 });
  if (result.stdout === '') throw new Error(result.stderr);
  return { code: result.code, report: JSON.parse(result.stdout), markdown: () => readFileSync(file, 'utf8') };
}

const zeros = ['lostWrites', 'doubledEffects', 'lostSessions', 'otherAnomalies', 'failedIdempotent', 'undecided'];

test('drill: four kills under an app of the user: nothing is lost, and the report says on how many kills that rests', async () => {
  const app = [counterApp, '--path', '/', '--path', '/api/counter'];
  const { code, report, markdown } = await drill(
    ...app,
    '--kills',
    '4',
    '--sessions',
    '60',
    '--only',
    'kill',
    '--seed',
    '7',
  );
  expect(report).toMatchObject({ ...Object.fromEntries(zeros.map((name) => [name, 0])), notes: [], trouble: null });
  expect(code).toBe(0);
  expect(report.kills).toBe(4);
  expect(report.checked).toBeGreaterThan(500);
  expect(report.faults).toMatchObject([{ kind: 'kill', faults: 4, kills: 4, firstSuccess: { count: 4 } }]);
  expect(markdown()).toContain(
    'passed: each zero rests on 4 kills: with 95 % confidence less often than 0.7500 times per kill',
  );
}, 90_000);

test('drill: a request that fills the heap of its worker: nothing is lost, and the death is told by its cause', async () => {
  const { code, report } = await drill('--kills', '2', '--sessions', '40', '--only', 'memory', '--seed', '5');
  expect(report).toMatchObject({ ...Object.fromEntries(zeros.map((name) => [name, 0])), notes: [], trouble: null });
  expect(code).toBe(0);
  expect(Object.keys(report.endings)).toEqual([expect.stringMatching(/, out of memory$/)]);
}, 90_000);

test('drill: sessions without a copy: it finds every loss and fails', async () => {
  const { code, report } = await drill('--store', 'memory', '--kills', '2', '--sessions', '40', '--only', 'kill');
  expect(code).toBe(1);
  expect(report.passed).toBe(false);
  expect(report.lostSessions).toBeGreaterThan(5);
  expect(report.doubledEffects).toBe(0);
}, 90_000);

test('drill: wrong flags: all are named, exit code 2', async () => {
  const { code, stderr } = await runLimpet(['drill', '--kills', 'many', '--only', 'kil', '--path', 'x'], {});
  expect(code).toBe(2);
  for (const problem of ['--kills is many', 'did you mean kill?', '--path is x']) expect(stderr).toContain(problem);
});
