import { copyFileSync, mkdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { counterApp, startCluster, temporaryFolder } from './support/cluster.ts';
import { runLimpet } from './support/command.ts';
import { waitUntil } from './support/wait-until.ts';

const modules = fileURLToPath(new URL('../node_modules', import.meta.url));

test('long path: a working directory of 200 characters with a space and an é: start, write, kill, read, stop', async () => {
  const start = join(temporaryFolder(), 'a b é ');
  const folder = join(start, 'x'.repeat(Math.max(1, 200 - start.length - 1)));
  expect(folder.length).toBeGreaterThanOrEqual(200);
  mkdirSync(folder, { recursive: true });
  copyFileSync(counterApp, join(folder, 'app.mjs'));
  symlinkSync(modules, join(folder, 'node_modules'));

  const cluster = await startCluster({ app: 'app.mjs', folder });
  expect(statSync(cluster.runDir).mode & 0o777).toBe(0o700);
  const client = new Client(cluster.url);
  for (let count = 1; count <= 3; count += 1) expect((await client.post('/api/counter')).json().count).toBe(count);
  const node = String((await client.get('/api/me')).json().node);
  const killed = await runLimpet(['kill', node], { folder });
  expect(killed.stderr).toBe('');
  expect(killed.code).toBe(0);
  const after = (await client.get('/api/me')).json();
  expect(after.count).toBe(3);
  await cluster.settled();
  expect((await client.post('/api/counter')).json().count).toBe(4);
  client.close();
  expect((await runLimpet(['stop'], { folder })).code).toBe(0);
  expect(await cluster.ended()).toBe(0);
  await waitUntil(() => cluster.pids().length === 0, { what: 'the last process to end' });
});
