import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tallyOf } from './support/checker.ts';
import { Client } from './support/client.ts';
import { type Cluster, startCluster } from './support/cluster.ts';
import { runLimpet } from './support/command.ts';
import { eventOf, movedTo, pullThePlug, savedFiles, usersAt } from './support/full-stop.ts';
import { createUsers, readOnce } from './support/load.ts';
import { waitUntil } from './support/wait-until.ts';

const socketsOf = ({ runDir }: Cluster): readonly string[] => {
  const folder = join(runDir, 'sockets');
  return existsSync(folder) ? readdirSync(folder) : [];
};

/** Moments of a start, each told by what it leaves in the run directory. */
const moments: readonly (readonly [string, (cluster: Cluster) => boolean])[] = [
  ['the supervisor listens', (cluster) => socketsOf(cluster).includes('control')],
  ['the first keeper listens', (cluster) => socketsOf(cluster).some((name) => name.endsWith('.copy'))],
  ['the last keeper listens', (cluster) => socketsOf(cluster).filter((name) => name.endsWith('.copy')).length === 3],
  ['the first app listens', (cluster) => socketsOf(cluster).some((name) => name.endsWith('.http'))],
  ['the last app listens', (cluster) => socketsOf(cluster).filter((name) => name.endsWith('.http')).length === 3],
];

test('everything killed at five moments of a start, before anything is served: the next start has every session', async () => {
  const first = await startCluster({ nodes: 3 });
  const users = await createUsers(first.url, 500);
  await first.stop();
  const { folder } = first;
  const survived: string[] = [];
  for (const [name, isReached] of moments) {
    const kept = savedFiles(first);
    const attempt = await startCluster({ folder, nodes: 3, waitReady: false });
    await waitUntil(() => isReached(attempt), { every: 1, what: name });
    await pullThePlug(attempt);
    // It got further than that moment: the files are of no use any more, and that is what is tried elsewhere.
    if (eventOf(attempt, 'node-joined') !== undefined) continue;
    survived.push(name);
    expect(savedFiles(attempt), name).toEqual(kept);
  }
  expect(survived.length).toBeGreaterThan(2);
  const last = await startCluster({ folder, nodes: 3 });
  const found = eventOf(last, 'sessions-loaded');
  expect(found).toMatchObject({ sessions: 500, missing: 0 });
  for (const user of usersAt(last, users)) await readOnce(user);
  expect(tallyOf(users.map(({ check }) => check))).toMatchObject({ acknowledged: 500, lost: 0, failedReads: 0 });
});

test('a worker killed again and again while sessions are loaded: the load begins anew, nothing is lost', async () => {
  const first = await startCluster({ nodes: 3, flags: ['--store', 'memory'] });
  const users = await createUsers(first.url, 3_000);
  await first.stop();
  const second = await startCluster({ folder: first.folder, nodes: 3, flags: ['--store', 'memory'], waitReady: false });
  const listens = (): boolean => socketsOf(second).filter((name) => name.endsWith('.http')).length === 3;
  await waitUntil(listens, { every: 1, what: 'all apps to listen' });
  const tables = await runLimpet(['status', '--json', '--run-dir', second.runDir]);
  const [victim] = tables.code === 0 ? (JSON.parse(tables.stdout).nodes as { pid: number }[]) : [];
  if (victim !== undefined && eventOf(second, 'sessions-loaded') === undefined) process.kill(victim.pid, 'SIGKILL');
  await waitUntil(() => eventOf(second, 'ready'), { timeout: 30_000, what: 'the ready line' });
  const found = eventOf(second, 'sessions-loaded');
  expect(found).toMatchObject({ sessions: 3_000, missing: 0 });
  for (const user of usersAt(second, users)) await readOnce(user);
  expect(tallyOf(users.map(({ check }) => check))).toMatchObject({ acknowledged: 3_000, lost: 0, failedReads: 0 });
});

test('idle for longer than its limit while the cluster was down: the session has ended, and is counted', async () => {
  const flags = ['--idle', '1s'];
  const first = await startCluster({ nodes: 2, flags });
  const client = new Client(first.url);
  await client.post('/login', 'Ida');
  await first.stop();
  const stoppedAt = Date.now();
  await waitUntil(() => Date.now() - stoppedAt > 1_200, { what: 'the idle limit to pass' });
  const second = await startCluster({ folder: first.folder, nodes: 2, flags });
  expect(eventOf(second, 'sessions-loaded')).toMatchObject({ sessions: 0, expired: 1, missing: 0 });
  expect((await movedTo(second, client).get('/api/me')).json().name).toBe(null);
});

test('--keep-sessions off: a stop leaves nothing on disk, and a start loads nothing and leaves what is there', async () => {
  const flags = ['--keep-sessions', 'off'];
  const first = await startCluster({ nodes: 2 });
  const client = new Client(first.url);
  await client.post('/login', 'Olga');
  await first.stop();
  const kept = savedFiles(first);
  const second = await startCluster({ folder: first.folder, nodes: 2, flags });
  expect((await movedTo(second, client).get('/api/me')).json().name).toBe(null);
  expect(eventOf(second, 'sessions-loaded')).toBe(undefined);
  await new Client(second.url).post('/login', 'Otto');
  await second.stop();
  expect(eventOf(second, 'sessions-saved')).toBe(undefined);
  expect(savedFiles(second)).toEqual(kept);

  // The cluster went on after they were written: they are old, and never loaded as if they were new.
  const third = await startCluster({ folder: first.folder, nodes: 2 });
  expect(eventOf(third, 'sessions-set-aside')?.why).toMatch(/out of date/);
  expect(savedFiles(third)).toEqual(kept.map((name) => `${name}.old`));
  expect((await movedTo(third, client).get('/api/me')).json().name).toBe(null);
});

test('one copy, and files cut or of a format to come: the start goes on, and says what is missing', async () => {
  const flags = ['--store', 'memory'];
  const before = await startCluster({ nodes: 2, flags });
  await createUsers(before.url, 30);
  await before.stop();
  const [cut = '', toCome = ''] = savedFiles(before).map((file) => join(before.runDir, 'sessions', file));
  writeFileSync(cut, readFileSync(cut).subarray(0, 64 + 12 + 20));
  const bytes = readFileSync(toCome);
  bytes.writeUInt16BE(7, 8);
  writeFileSync(toCome, bytes);

  const after = await startCluster({ folder: before.folder, nodes: 2, flags });
  const aside = after.events.filter(({ event }) => event === 'sessions-set-aside');
  expect(aside.map(({ why }) => why)).toEqual([
    expect.stringContaining('format 7, and this version of Limpet reads format 1'),
    expect.stringMatching(/bytes, \d+ were written/),
  ]);
  const loaded = eventOf(after, 'sessions-loaded');
  expect(loaded?.sessions).toBe(0);
  expect(loaded?.missing).toBeGreaterThan(0);
  expect(savedFiles(after).map((file) => file.split('.').at(-1))).toEqual(['damaged', 'unknown']);
});

test('the first view cannot be written: the start fails, and the next one has the sessions', async () => {
  const before = await startCluster({ nodes: 2 });
  const client = new Client(before.url);
  await client.post('/login', 'Eve');
  await before.stop();
  const kept = savedFiles(before);
  const draft = join(before.runDir, 'views.json.new');
  mkdirSync(draft);
  const failed = await startCluster({ folder: before.folder, nodes: 2, waitReady: false });
  expect(await failed.ended()).toBe(1);
  expect(savedFiles(before)).toEqual(kept);
  rmSync(draft, { recursive: true });
  const after = await startCluster({ folder: before.folder, nodes: 2 });
  expect((await movedTo(after, client).get('/api/me')).json().name).toBe('Eve');
});

test('supervisor killed, its workers adopted, then a full stop: the next start has the sessions', async () => {
  const first = await startCluster({ nodes: 2 });
  const client = new Client(first.url);
  await client.post('/login', 'Nia');
  first.supervisor.kill('SIGKILL');
  await waitUntil(() => first.supervisor.signalCode === 'SIGKILL', { what: 'the end of the supervisor' });
  const second = await startCluster({ folder: first.folder, nodes: 2 });
  expect(eventOf(second, 'adopted')).toBeDefined();
  const there = movedTo(second, client);
  await there.post('/api/counter');
  expect(await second.stop()).toBe(0);
  expect(eventOf(second, 'sessions-saved')).toMatchObject({ sessions: 1, unsaved: 0 });
  const third = await startCluster({ folder: first.folder, nodes: 2 });
  expect((await movedTo(third, there).get('/api/me')).json()).toMatchObject({ name: 'Nia', count: 1 });
});
