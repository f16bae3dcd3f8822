// The latency of everybody's requests while the sessions of a dead node are copied again, against the same load before,
// and what a kill costs in processor time.
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuOf, exchange, makeUser, ms, percentile, printTable, startCluster } from './cluster.mjs';

const sessions = Number(process.env.SESSIONS ?? 20_000);
const rounds = Number(process.env.ROUNDS ?? 8);
/** Requests per second, the same in both halves whatever the cluster does: the processors must not be the limit before anything happens. */
const rate = Number(process.env.RATE ?? 250);
/** Sessions that the requests go to, in turn: two requests of one session hardly ever meet. */
const users = 400;
const warmMs = 5_000;
const idleMs = 15_000;
/** The cluster is asked how it is at this pace while requests are timed, before the kills as well. */
const askMs = 100;

/** A request every 1/rate s until `ended()`, whether or not those before it were answered; latencies count from when each was due. */
async function load(cluster, some, agent, ended) {
  const took = [];
  let failed = 0;
  const target = new URL('/api/counter', cluster.url);
  const ask = async (at, due) => {
    const method = at % 4 === 0 ? 'POST' : 'GET';
    const { status } = await exchange(target, { method, cookie: some[at % some.length].cookie, agent });
    took.push({ due, ms: performance.now() - due });
    if (status !== 200) failed += 1;
  };
  const running = new Set();
  const began = performance.now();
  for (let at = 0; !ended(); ) {
    const due = began + (at * 1_000) / rate;
    if (performance.now() < due) {
      await sleep(1);
      continue;
    }
    const one = ask(at, due).catch(() => {
      failed += 1;
    });
    running.add(one);
    void one.then(() => running.delete(one));
    at += 1;
  }
  await Promise.all(running);
  return { took, failed };
}

async function makeSessions(cluster, agent) {
  const made = [];
  const lane = async () => {
    while (made.length < sessions) made.push(await makeUser(cluster.url, agent));
  };
  await Promise.all(Array.from({ length: 32 }, lane));
  return made;
}

/** Processor time of every process of the cluster so far, by pid, in microseconds. */
const cpuOfAll = ({ supervisor, nodes, balancers }) =>
  new Map([supervisor, ...nodes, ...balancers].filter(({ pid }) => pid !== null).map(({ pid }) => [pid, cpuOf(pid)]));

/** What they have used between the two; all that a new process used, nothing of one that has gone. */
const cpuBetween = (from, to) => [...to].reduce((sum, [pid, now]) => sum + now - (from.get(pid) ?? 0), 0);

/** Until the death's report is complete: copies made, the node back. */
async function reportOf(cluster, node, known) {
  for (let round = 0; round < 3_000; round += 1) {
    const found = cluster.lines.filter((line) => line.event === 'death' && line.node === node)[known];
    if (found) return found;
    await sleep(10);
  }
  throw new Error(`no report of ${node}`);
}

/** Kills a node and waits until it is back with all its sessions. */
async function killOne(cluster, round) {
  const before = await cluster.whole(askMs);
  const victim = before.nodes[round % before.nodes.length];
  const known = cluster.lines.filter((line) => line.event === 'death' && line.node === victim.id).length;
  const cpu = cpuOfAll(before);
  const from = performance.now();
  process.kill(victim.pid, 'SIGKILL');
  const { copiesAfterMs } = await reportOf(cluster, victim.id, known);
  const after = await cluster.whole(askMs);
  const wholeBy = performance.now();
  return {
    from,
    copiesBy: from + copiesAfterMs,
    wholeBy,
    cpu: cpuBetween(cpu, cpuOfAll(after)),
    // Each is copied once to another node, and once more to the node when it is back.
    copied: 2 * (victim.sessions.primary + victim.sessions.buddy),
  };
}

export async function benchRecopy() {
  const cluster = await startCluster();
  const agent = new Agent({ keepAlive: true });
  const all = await makeSessions(cluster, agent);
  const some = Array.from({ length: users }, (_, at) => all[Math.floor((at * all.length) / users)]);
  await cluster.whole();
  let ended = false;
  const loaded = load(cluster, some, agent, () => ended);
  await sleep(warmMs); // Just started: the compiler is at work.
  const idle = { from: performance.now(), cpu: cpuOfAll(await cluster.status()) };
  const idleEnds = idle.from + idleMs;
  for (; performance.now() < idleEnds; await sleep(askMs)) await cluster.status();
  idle.to = performance.now();
  const idleCpuPerMs = cpuBetween(idle.cpu, cpuOfAll(await cluster.status())) / (idle.to - idle.from);
  const windows = [];
  for (let round = 0; round < rounds; round += 1) {
    windows.push(await killOne(cluster, round));
    await sleep(1_000);
  }
  ended = true;
  const { took, failed } = await loaded;
  agent.destroy();
  await cluster.stop();
  const between = (from, to) => took.filter(({ due }) => due >= from && due <= to).map((one) => one.ms);
  const within = (end) => windows.flatMap((window) => between(window.from, window[end]));
  const before = between(idle.from, idle.to);
  const row = (name, values) => [
    name,
    `${ms(percentile(values, 0.5))} · ${ms(percentile(values, 0.99))} · ${values.length} requests`,
  ];
  const ratio = (values) => (percentile(values, 0.99) / percentile(before, 0.99)).toFixed(2);
  const ownCpu = windows.map(({ from, wholeBy, cpu }) => cpu - idleCpuPerMs * (wholeBy - from));
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const middle = (values, format) => `${format(percentile(values, 0.5))} · ${format(Math.max(...values))}`;
  const lasted = (end) => windows.map((window) => window[end] - window.from);
  const seconds = (value) => `${(value / 1e6).toFixed(2)} s`;
  printTable(`latency of all requests at ${rate}/s, ${sessions} sessions, ${rounds} kills: p50 · p99`, [
    row('idle: before the first kill', before),
    row('copying: from the kill until all sessions had their copies', within('copiesBy')),
    row('until the node was back and whole', within('wholeBy')),
    ['p99 copying / p99 idle', ratio(within('copiesBy'))],
    ['p99 until whole / p99 idle', ratio(within('wholeBy'))],
    ['copies complete after: median · largest', middle(lasted('copiesBy'), ms)],
    ['whole after: median · largest', middle(lasted('wholeBy'), ms)],
    ['processor time of the idle cluster per second', seconds(idleCpuPerMs * 1_000)],
    ['processor time per kill, without that: median · largest', middle(ownCpu, seconds)],
    ['the same per copied session', `${(sum(ownCpu) / sum(windows.map(({ copied }) => copied))).toFixed(0)} µs`],
    ['failed', String(failed)],
  ]);
  if (process.env.TIMELINE) printTimeline(windows, took);
}

/** For whoever looks for a cause: the largest latency of each tenth of a second after a kill, over all kills. */
function printTimeline(windows, took) {
  const worst = [];
  for (const { from, wholeBy } of windows) {
    for (const one of took) {
      if (one.due < from || one.due > wholeBy) continue;
      const at = Math.floor((one.due - from) / 100);
      worst[at] = Math.max(worst[at] ?? 0, one.ms);
    }
  }
  printTable(
    'largest latency by time after the kill',
    [...worst].map((value, at) => [`${at / 10} s`, ms(value ?? 0)]),
  );
}
