import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Agent } from 'node:http';
import { expect, test } from 'vitest';
import { fetchOnce } from './support/client.ts';
import { startCluster } from './support/cluster.ts';
import { waitUntil } from './support/wait-until.ts';

const established = '01';

/** Connections of clients to `port` that the process has accepted, from /proc. */
function connectionsOf(pid: number, port: number): number {
  const own = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      own.add(/^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? '');
    } catch {
      // Closed meanwhile.
    }
  }
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(local) && fields[3] === established && own.has(fields[9] ?? '')).length;
}

test('one of two balancers is killed: the connections it had are lost, exactly those, and no new one is refused', async () => {
  const cluster = await startCluster({ balancers: 2 });
  const port = Number(new URL(cluster.url).port);
  const agent = new Agent({ keepAlive: false, maxSockets: 200 });
  const outcomes: string[] = [];
  const open = Array.from({ length: 100 }, () =>
    fetchOnce(`${cluster.url}/slow?ms=3000`, { agent }).then(
      ({ status }) => outcomes.push(String(status)),
      (error: { readonly code?: string; readonly message: string }) => outcomes.push(error.code ?? error.message),
    ),
  );
  const { balancers } = await cluster.status();
  const pids = balancers.map(({ pid }) => Number(pid));
  const counts = () => pids.map((pid) => connectionsOf(pid, port));
  await waitUntil(() => counts().reduce((sum, count) => sum + count, 0) === 100, { what: '100 connections' });
  const [busier = 0] = counts()
    .map((_, at) => at)
    .sort((a, b) => (counts()[b] ?? 0) - (counts()[a] ?? 0));
  const theirs = counts()[busier] ?? 0;
  expect(theirs).toBeGreaterThan(0);
  process.kill(pids[busier] ?? 0, 'SIGKILL');
  for (let at = 0; at < 100; at += 1) {
    expect((await fetchOnce(cluster.url, { headers: { connection: 'close' } })).status).toBe(200);
  }
  await Promise.all(open);
  expect(outcomes.filter((outcome) => outcome === '200')).toHaveLength(100 - theirs);
  expect(outcomes.filter((outcome) => outcome === 'ECONNRESET')).toHaveLength(theirs);
  agent.destroy();
});
