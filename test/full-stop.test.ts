import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tallyOf } from './support/checker.ts';
import { Client } from './support/client.ts';
import { startCluster } from './support/cluster.ts';
import { runLimpet } from './support/command.ts';
import { eventOf, movedTo, pullThePlug, savedFiles, usersAt } from './support/full-stop.ts';
import { createUsers, readOnce, startLoad } from './support/load.ts';
import { waitUntil } from './support/wait-until.ts';

test('full stop under load, start with fewer nodes: every acknowledged write is there', async () => {
  const before = await startCluster();
  const users = await createUsers(before.url, 60);
  const load = startLoad(users);
  await waitUntil(() => load.requests > 600, { what: 'the load' });
  expect(await before.stop()).toBe(0);
  await load.end();
  expect(eventOf(before, 'sessions-saved')).toMatchObject({ sessions: 60, unsaved: 0 });
  expect(savedFiles(before).length).toBeGreaterThan(4);

  const after = await startCluster({ folder: before.folder, nodes: 3 });
  expect(eventOf(after, 'sessions-loaded')).toMatchObject({ sessions: 60, expired: 0, unverified: 0, missing: 0 });
  expect(savedFiles(after)).toEqual([]);
  // What the checks counted while the cluster was away says nothing about what it keeps.
  const failedBefore = tallyOf(users.map(({ check }) => check)).failedReads;
  for (const user of usersAt(after, users)) await readOnce(user);
  const tally = tallyOf(users.map(({ check }) => check));
  expect(tally).toMatchObject({ lost: 0, doubled: 0, failedReads: failedBefore });
  expect(tally.acknowledged).toBeGreaterThan(100);
});

test('full stop by `limpet stop`: a person stays signed in, every type comes back, who signed out stays out', async () => {
  const before = await startCluster({ nodes: 2 });
  const [client, other] = [new Client(before.url), new Client(before.url)];
  await client.post('/login', 'Zoë');
  await client.post('/types');
  await other.post('/login', 'Bob');
  const stolen = new Map(other.cookies);
  await other.post('/logout');
  const stopped = await runLimpet(['stop', '--run-dir', before.runDir]);
  expect([stopped.code, await before.ended()]).toEqual([0, 0]);

  // Another number of copies as well.
  const after = await startCluster({ folder: before.folder, nodes: 3, flags: ['--copies', '3'] });
  const again = movedTo(after, client);
  expect((await again.get('/api/me')).json().name).toBe('Zoë');
  expect((await again.get('/types')).json()).toEqual({ changed: [], of: 12 });
  const thief = new Client(after.url);
  for (const [name, value] of stolen) thief.cookies.set(name, value);
  expect((await thief.get('/api/me')).json().name).toBe(null);
});

test('a POST under an Idempotency-Key, a full stop, the same POST: the same answer, and it took effect once', async () => {
  const before = await startCluster({ nodes: 2 });
  const client = new Client(before.url);
  await client.post('/api/counter');
  const key = { 'Idempotency-Key': '"8e03978e-40d5-43dd-bc93-6894a57f9324"' };
  const first = await client.send('/api/counter', { method: 'POST', headers: key });
  await before.stop();

  const after = await startCluster({ folder: before.folder, nodes: 2 });
  const again = movedTo(after, client);
  const repeated = await again.send('/api/counter', { method: 'POST', headers: key });
  expect([repeated.status, repeated.body]).toEqual([first.status, first.body]);
  expect((await again.get('/api/counter')).json().count).toBe(2);
});

test('a file damaged while the cluster was down: set aside and named, its sessions come from the copies', async () => {
  const before = await startCluster();
  const users = await createUsers(before.url, 40);
  await before.stop();
  const name = savedFiles(before).find((file) => file.includes('app')) ?? '';
  const path = join(before.runDir, 'sessions', name);
  const bytes = readFileSync(path);
  // The length of the first record: nothing behind it can be read.
  bytes[64] = (bytes[64] ?? 0) ^ 0xff;
  writeFileSync(path, bytes);

  const after = await startCluster({ folder: before.folder });
  expect(eventOf(after, 'sessions-set-aside')).toMatchObject({ file: name, now: `${name}.damaged` });
  expect(eventOf(after, 'sessions-loaded')).toMatchObject({ sessions: 40, missing: 0 });
  expect(savedFiles(after)).toEqual([`${name}.damaged`]);
  for (const user of usersAt(after, users)) await readOnce(user);
  expect(tallyOf(users.map(({ check }) => check))).toMatchObject({ lost: 0, failedReads: 0, acknowledged: 40 });
});

test('loaded, written to, then everything is killed at once: the old state does not come back', async () => {
  const first = await startCluster({ nodes: 2 });
  const client = new Client(first.url);
  await client.post('/login', 'Ann');
  await first.stop();
  const second = await startCluster({ folder: first.folder, nodes: 2 });
  const there = movedTo(second, client);
  expect((await there.get('/api/me')).json().name).toBe('Ann');
  await there.post('/logout');
  await pullThePlug(second);
  const third = await startCluster({ folder: first.folder, nodes: 2 });
  expect(eventOf(third, 'sessions-loaded')).toBe(undefined);
  expect((await movedTo(third, client).get('/api/me')).json().name).toBe(null);
});

test('the folder cannot be written: the stop says how many sessions were not saved, and why', async () => {
  const cluster = await startCluster({ nodes: 2 });
  await createUsers(cluster.url, 20);
  rmSync(join(cluster.runDir, 'sessions'), { recursive: true, force: true });
  writeFileSync(join(cluster.runDir, 'sessions'), 'not a folder');
  expect(await cluster.stop()).toBe(0);
  expect(eventOf(cluster, 'sessions-saved')).toMatchObject({
    sessions: 0,
    unsaved: 20,
    why: expect.stringContaining('ENOTDIR'),
    msg: expect.stringMatching(/^20 sessions not saved/),
  });
});

test('supervisor killed, then `limpet stop`: the workers save by themselves, and the next start has the sessions', async () => {
  const before = await startCluster({ nodes: 2 });
  const client = new Client(before.url);
  await client.post('/login', 'Uma');
  before.supervisor.kill('SIGKILL');
  await waitUntil(() => before.supervisor.signalCode === 'SIGKILL', { what: 'the end of the supervisor' });
  // Without a supervisor, too, what was acknowledged is kept.
  await client.post('/api/counter');
  expect((await runLimpet(['stop', '--run-dir', before.runDir])).code).toBe(0);
  await waitUntil(() => before.pids().length === 0, { what: 'every process to end' });
  expect(savedFiles(before).length).toBeGreaterThan(0);
  const after = await startCluster({ folder: before.folder, nodes: 2 });
  expect((await movedTo(after, client).get('/api/me')).json()).toMatchObject({ name: 'Uma', count: 1 });
});
