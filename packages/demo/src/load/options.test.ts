import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readOptions } from './options.ts';
import { findTarget } from './target.ts';

test('load options: none: the defaults', () => {
  expect(readOptions([])).toMatchObject({ kind: 'options', options: { sessions: 200, connections: 20, duration: 10 } });
});

test('load options: several wrong ones: all reported', () => {
  expect(readOptions(['--sessions', '0', '--duration', 'x', '--url', 'ftp://a'])).toMatchObject({
    kind: 'wrong',
    problems: [
      expect.stringContaining('--url'),
      expect.stringContaining('--sessions'),
      expect.stringContaining('--duration'),
    ],
  });
  expect(readOptions(['--session', '3'])).toMatchObject({ kind: 'wrong' });
});

test('load target: the run directory of a cluster, none, or a broken one: its url, else the default', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'limpet-target-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  expect(await findTarget(null, folder)).toBe('http://127.0.0.1:8080');
  await writeFile(join(folder, 'cluster.json'), '{"url":"http://127.0.0.1:8123"}');
  expect(await findTarget(null, folder)).toBe('http://127.0.0.1:8123');
  await writeFile(join(folder, 'cluster.json'), '[');
  expect(await findTarget(null, folder)).toBe('http://127.0.0.1:8080');
  expect(await findTarget('http://127.0.0.1:1', folder)).toBe('http://127.0.0.1:1');
});
