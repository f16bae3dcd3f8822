import { chmodSync, cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { type Cluster, startCluster, temporaryFolder } from './support/cluster.ts';
import { eventOf, savedFiles } from './support/full-stop.ts';

/**
 * One run directory per format that there has ever been, as a cluster of that time left it. Every later version must load
 * each of them; what is in it does not expire before the year 8000.
 */
const formats = [1];
const leftAt = (format: number): string => fileURLToPath(new URL(`./fixtures/full-stop-${format}`, import.meta.url));

/** The ids in format 1: a session with every type, one that was destroyed, one past its absolute end, a plain one. */
const ada = 'EAEBAQEBAQEBAQEBAQEBAQEBAQEBARKHzQ2tBYRV';
const destroyed = 'EAICAgICAgICAgICAgICAgICAgICAk8Lg1Wz5zkj';
const ended = 'EAMDAwMDAwMDAwMDAwMDAwMDAwMDA-fIz-cTFAg4';
const dora = 'EAQEBAQEBAQEBAQEBAQEBAQEBAQEBGruYFik9ven';

function folderOf(format: number, keepKeys: boolean): string {
  const folder = temporaryFolder();
  cpSync(leftAt(format), join(folder, '.limpet'), {
    recursive: true,
    filter: (path) => keepKeys || !path.endsWith('keys'),
  });
  // A checkout does not keep the mode.
  if (keepKeys) chmodSync(join(folder, '.limpet', 'keys'), 0o600);
  return folder;
}

function clientOf(cluster: Cluster, id: string): Client {
  const client = new Client(cluster.url);
  client.cookies.set('JSESSIONID', id);
  return client;
}

test.each(formats)('format %i: a file of that time is loaded, with every type in it', async (format) => {
  const cluster = await startCluster({ folder: folderOf(format, true), nodes: 2 });
  expect(eventOf(cluster, 'sessions-loaded')).toMatchObject({ sessions: 2, expired: 1, unverified: 0, missing: 0 });
  const client = clientOf(cluster, ada);
  expect((await client.get('/api/me')).json()).toMatchObject({ name: 'Ada', count: 41, id: ada });
  expect((await client.get('/types')).json()).toEqual({ changed: [], of: 12 });
  expect((await client.post('/api/counter')).json().count).toBe(42);
  expect((await clientOf(cluster, dora).get('/api/me')).json()).toMatchObject({ name: 'Dora', count: 7 });
  for (const id of [destroyed, ended]) {
    expect((await clientOf(cluster, id).get('/api/me')).json()).toMatchObject({ name: null, count: 0 });
  }
});

test('other keys than those that signed the ids: nothing is loaded, and all are counted', async () => {
  const cluster = await startCluster({ folder: folderOf(1, false), nodes: 2 });
  expect(eventOf(cluster, 'sessions-loaded')).toMatchObject({ sessions: 0, expired: 0, unverified: 4 });
  expect((await clientOf(cluster, ada).get('/api/me')).json()).toMatchObject({ name: null, count: 0 });
  expect(savedFiles(cluster)).toEqual([]);
  expect(readFileSync(join(cluster.runDir, 'keys'), 'utf8')).not.toBe(readFileSync(join(leftAt(1), 'keys'), 'utf8'));
});
