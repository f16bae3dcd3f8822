import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { type Cluster, limpetBin, startCluster } from './support/cluster.ts';
import { killAll } from './support/processes.ts';
import { startSteadyLoad } from './support/steady-load.ts';
import { openStream } from './support/streams.ts';
import { spanOf, waitUntil } from './support/wait-until.ts';

const nothingLeft = (cluster: Cluster): Promise<boolean> =>
  waitUntil(() => cluster.pids().length === 0, { timeout: 3_000, what: 'the last process to end' });

const ways: readonly (readonly [string, (pid: number) => void])[] = [
  ['SIGTERM', (pid) => process.kill(pid, 'SIGTERM')],
  [
    'SIGINT twice within a millisecond, as npm passes it on',
    (pid) => {
      process.kill(pid, 'SIGINT');
      process.kill(pid, 'SIGINT');
    },
  ],
];

test.each(ways)(
  'signals: %s under 50 requests per second: no failed request, exit 0, no process left',
  async (_, send) => {
    const cluster = await startCluster();
    const load = startSteadyLoad(new URL('/slow?ms=30', cluster.url), 50);
    await waitUntil(() => load.answered > 50, { what: 'the load' });
    const sentAt = performance.now();
    send(cluster.supervisor.pid ?? 0);
    expect(await cluster.ended(12_000)).toBe(0);
    expect(performance.now() - sentAt).toBeLessThan(10_000);
    expect(await load.end()).toEqual([]);
    await nothingLeft(cluster);
    expect(existsSync(join(cluster.runDir, 'sockets', 'control'))).toBe(false);
  },
);

test('signals: a second SIGINT a second after the first: ends at once with 130, no process left', async () => {
  const cluster = await startCluster();
  const stream = await openStream(new URL('/sse?ms=20000', cluster.url));
  stream.on('error', () => {});
  stream.resume();
  cluster.supervisor.kill('SIGINT');
  await spanOf(1_100);
  expect(cluster.supervisor.exitCode).toBe(null);
  const sentAt = performance.now();
  cluster.supervisor.kill('SIGINT');
  expect(await cluster.ended()).toBe(130);
  expect(performance.now() - sentAt).toBeLessThan(2_000);
  const notSaved = { sessions: 0, unsaved: 1, msg: '1 session not saved: it was ended at once' };
  expect(cluster.events.find(({ event }) => event === 'sessions-saved')).toMatchObject(notSaved);
  await nothingLeft(cluster);
});

test('signals: SIGHUP without a terminal: nothing changes', async () => {
  const cluster = await startCluster();
  const before = await cluster.settled();
  cluster.supervisor.kill('SIGHUP');
  await waitUntil(() => cluster.output().includes('SIGHUP'), { what: 'the line about SIGHUP' });
  expect((await cluster.status()).nodes.map(({ pid }) => pid)).toEqual(before.nodes.map(({ pid }) => pid));
});

test('signals: the terminal is closed under 50 requests per second: no failed request, no process left', async () => {
  // script(1), part of every Debian, gives the cluster a terminal of its own: killing script closes it.
  const terminal = await startCluster({
    nodes: 2,
    through: (command) => ['script', '-qfec', command.map((part) => `'${part}'`).join(' '), '/dev/null'],
  });
  const load = startSteadyLoad(new URL('/slow?ms=30', terminal.url), 50);
  await waitUntil(() => load.answered > 50, { what: 'the load' });
  terminal.supervisor.kill('SIGKILL');
  await waitUntil(() => terminal.pids().length === 0, { timeout: 10_000, what: 'every process to end' });
  expect(await load.end()).toEqual([]);
});

test('limpet stop: from another terminal: start ends with 0, no process left', async () => {
  const cluster = await startCluster();
  const client = new Client(cluster.url);
  await client.post('/api/counter');
  const stop = spawn(process.execPath, [limpetBin, 'stop', '--run-dir', cluster.runDir], { stdio: 'ignore' });
  try {
    expect(await cluster.ended()).toBe(0);
    await waitUntil(() => stop.exitCode === 0, { what: 'limpet stop to end with 0' });
    await nothingLeft(cluster);
  } finally {
    killAll(stop.pid && stop.exitCode === null ? [stop.pid] : []);
    client.close();
  }
});
