// The latency of everybody's requests while the sessions of a dead node are copied again, against the same load before.
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { exchange, makeUser, ms, percentile, printTable, startCluster } from './cluster.mjs';

const sessions = Number(process.env.SESSIONS ?? 20_000);
const rounds = Number(process.env.ROUNDS ?? 8);
const users = 40;
/** Between two requests of one user: the processors must not be the limit before anything happens. */
const pauseMs = 80;
const idleMs = 10_000;

/** `users` of them ask and write in turn until `ended()`; each request with its begin and its latency. */
function load(cluster, some, agent, ended) {
  const took = [];
  let failed = 0;
  const loops = some.map(async (user, at) => {
    await sleep((at * pauseMs) / some.length);
    for (let turn = at; !ended(); turn += 1) {
      const began = performance.now();
      const method = turn % 4 === 0 ? 'POST' : 'GET';
      const { status } = await exchange(new URL('/api/counter', cluster.url), { method, cookie: user.cookie, agent });
      took.push({ began, ms: performance.now() - began });
      if (status !== 200) failed += 1;
      await sleep(pauseMs);
    }
  });
  return Promise.all(loops).then(() => ({ took, failed }));
}

async function makeSessions(cluster, agent) {
  const made = [];
  const lane = async () => {
    while (made.length < sessions) made.push(await makeUser(cluster.url, agent));
  };
  await Promise.all(Array.from({ length: 32 }, lane));
  return made;
}

/** Until the death's report is complete: copies made, the node back. */
async function reportOf(cluster, node, known) {
  for (let round = 0; round < 3_000; round += 1) {
    const found = cluster.lines.filter((line) => line.event === 'death' && line.node === node)[known];
    if (found) return found;
    await sleep(10);
  }
  throw new Error(`no report of ${node}`);
}

export async function benchRecopy() {
  const cluster = await startCluster();
  const agent = new Agent({ keepAlive: true, maxSockets: 128 });
  const all = await makeSessions(cluster, agent);
  const some = Array.from({ length: users }, (_, at) => all[Math.floor((at * all.length) / users)]);
  await cluster.whole();
  const until = performance.now() + idleMs;
  await load(cluster, some, agent, () => performance.now() > until - idleMs / 2); // Just started: the compiler is at work.
  const idle = await load(cluster, some, agent, () => performance.now() > until);
  let ended = false;
  const loaded = load(cluster, some, agent, () => ended);
  const windows = [];
  const copied = [];
  for (let round = 0; round < rounds; round += 1) {
    const { nodes } = await cluster.whole();
    const victim = nodes[round % nodes.length];
    const known = cluster.lines.filter((line) => line.event === 'death' && line.node === victim.id).length;
    const from = performance.now();
    process.kill(victim.pid, 'SIGKILL');
    const report = await reportOf(cluster, victim.id, known);
    await cluster.whole();
    windows.push({ from, copiesBy: from + report.copiesAfterMs, wholeBy: performance.now() });
    copied.push(report.copiesAfterMs);
    await sleep(500);
  }
  ended = true;
  const busy = await loaded;
  agent.destroy();
  await cluster.stop();
  const within = (end) =>
    busy.took.filter(({ began }) => windows.some((w) => began >= w.from && began <= w[end])).map((one) => one.ms);
  const before = idle.took.map((one) => one.ms);
  const row = (name, values) => [
    name,
    `${ms(percentile(values, 0.5))} · ${ms(percentile(values, 0.99))} · ${values.length} requests`,
  ];
  printTable(`latency of all requests, ${sessions} sessions, ${rounds} kills, ${users} users: p50 · p99`, [
    row('before', before),
    row('from the kill until every session had its copies', within('copiesBy')),
    row('from the kill until the node was back and whole', within('wholeBy')),
    ['copies complete after: median · largest', `${ms(percentile(copied, 0.5))} · ${ms(Math.max(...copied))}`],
    ['failed', String(idle.failed + busy.failed)],
  ]);
}
