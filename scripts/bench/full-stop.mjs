// How long a full stop takes to save the sessions, and a start to load them; as many as `SESSIONS` says.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exchange, makeUser, ms, printTable, startCluster } from './cluster.mjs';

const sessions = Number(process.env.SESSIONS ?? 20_000);

export async function benchFullStop() {
  const runDir = mkdtempSync(join(tmpdir(), 'limpet-bench-'));
  const first = await startCluster({}, [], runDir);
  const agent = new Agent({ keepAlive: true, maxSockets: 128 });
  const made = [];
  const lane = async () => {
    while (made.length < sessions) made.push(await makeUser(first.url, agent));
  };
  await Promise.all(Array.from({ length: 32 }, lane));
  await first.whole();
  const stopAt = performance.now();
  await first.stop();
  const stopMs = performance.now() - stopAt;
  const folder = join(runDir, 'sessions');
  const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  const saved = first.lines.find(({ event }) => event === 'sessions-saved');

  const beganAt = performance.now();
  const second = await startCluster({}, [], runDir);
  const settledMs = performance.now() - beganAt;
  const loaded = second.lines.find(({ event }) => event === 'sessions-loaded');
  const ready = second.lines.find(({ event }) => event === 'ready');
  let lost = 0;
  for (let at = 0; at < made.length; at += Math.ceil(made.length / 500)) {
    const { text } = await exchange(new URL('/api/counter', second.url), { cookie: made[at].cookie, agent });
    if (JSON.parse(text).count !== 1) lost += 1;
  }
  agent.destroy();
  await second.stop();
  rmSync(runDir, { recursive: true, force: true });
  printTable(`full stop and start, ${made.length} sessions on four nodes, two copies`, [
    ['saved', `${saved.sessions} sessions in ${ms(saved.ms)}, ${(bytes / 2 ** 20).toFixed(1)} MiB`],
    ['the whole stop', ms(stopMs)],
    ['loaded', `${loaded.sessions} sessions in ${ms(loaded.ms)}`],
    ['start to ready, to every session confirmed', `${ms(ready.ms)} · ${ms(settledMs)}`],
    ['looked at afterwards, not there', `500 · ${lost}`],
  ]);
}
