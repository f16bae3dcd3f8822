// Figures of this machine, printed as tables; not a test. `npm run bench [-- kills|start|cost|block ...]`
// All processes are real, started by `limpet start`; processor time is read from /proc/<pid>/stat.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../packages/limpet/bin/limpet.js', import.meta.url));
const app = fileURLToPath(new URL('../test/fixtures/counter-app.mjs', import.meta.url));
const kills = Number(process.env.KILLS ?? 20);

const percentile = (values, share) =>
  [...values].sort((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? Number.NaN;
const ms = (value) => `${value.toFixed(value < 10 ? 2 : 1)} ms`;

function printTable(title, rows) {
  console.log(`\n${title}`);
  for (const [name, value] of rows) console.log(`  ${name.padEnd(52)} ${value}`);
}

/** User and system time of a process so far, in microseconds. */
function cpuOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function startCluster(env = {}, flags = []) {
  const runDir = mkdtempSync(join(tmpdir(), 'limpet-bench-'));
  const began = performance.now();
  const args = ['start', app, '--port', '0', '--admin-port', '0', '--run-dir', runDir, '--log', 'json', ...flags];
  const child = spawn(process.execPath, [bin, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const lines = [];
  let partial = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const parts = (partial + text).split('\n');
    partial = parts.pop() ?? '';
    for (const line of parts) if (line.startsWith('{')) lines.push(JSON.parse(line));
  });
  const statusByCommand = () =>
    new Promise((resolve) => {
      const command = spawn(process.execPath, [bin, 'status', '--json', '--run-dir', runDir], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      let text = '';
      command.stdout.on('data', (piece) => {
        text += piece;
      });
      command.on('close', (code) => resolve(code === 0 ? JSON.parse(text) : null));
    });
  let admin = null;
  const status = async () => {
    const now = admin ? await (await fetch(new URL('/api/status', admin))).json() : await statusByCommand();
    admin ??= now?.admin?.url ?? null;
    return now;
  };
  const whole = async () => {
    for (let round = 0; round < 1_500; round += 1) {
      const now = await status();
      if (now?.settled && now.nodes.every((node) => node.health === 'alive')) return now;
      if (child.exitCode !== null) throw new Error('limpet start ended');
      await sleep(20);
    }
    throw new Error('the cluster does not settle');
  };
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(runDir, { recursive: true, force: true });
  };
  const first = await whole();
  return { url: first.url, lines, status, whole, stop, startedMs: performance.now() - began };
}

/** One exchange; resolves with status, set-cookie and body. */
function exchange(target, { method = 'GET', cookie, agent }) {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      target,
      { method, agent, headers: { ...(cookie ? { cookie } : {}), 'content-length': 0 } },
      (incoming) => {
        let text = '';
        incoming.setEncoding('utf8').on('data', (piece) => {
          text += piece;
        });
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode, set: incoming.headers['set-cookie']?.[0], text }),
        );
        incoming.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}

async function makeUser(url, agent) {
  const { set, text } = await exchange(new URL('/api/counter', url), { method: 'POST', agent });
  return { cookie: set.split(';')[0], node: JSON.parse(text).node };
}

/** A closed loop of `users` against `path` for `forMs`; latencies in milliseconds. */
async function closedLoop(url, path, users, forMs, { method = 'GET', agent }) {
  const endsAt = performance.now() + forMs;
  const took = [];
  let failed = 0;
  const loop = async (user) => {
    while (performance.now() < endsAt) {
      const began = performance.now();
      const { status } = await exchange(new URL(path, url), { method, cookie: user.cookie, agent });
      took.push(performance.now() - began);
      if (status !== 200) failed += 1;
    }
  };
  await Promise.all(users.map(loop));
  return { took, failed };
}

async function benchKills(ballastMb) {
  const cluster = await startCluster({ BALLAST_MB: String(ballastMb) });
  const agent = new Agent({ keepAlive: true, maxSockets: 128 });
  const users = await Promise.all(Array.from({ length: 60 }, () => makeUser(cluster.url, agent)));
  const took = [];
  let failed = 0;
  let ended = false;
  const load = Promise.all(
    users.slice(0, 20).map(async (user) => {
      while (!ended) {
        const { status } = await exchange(new URL('/api/counter', cluster.url), { cookie: user.cookie, agent });
        if (status !== 200) failed += 1;
        await sleep(20);
      }
    }),
  );
  for (let round = 0; round < kills; round += 1) {
    const { nodes } = await cluster.whole();
    const victim = nodes[round % nodes.length];
    const theirs = [];
    for (const user of users) {
      const { text } = await exchange(new URL('/api/me', cluster.url), { cookie: user.cookie, agent });
      if (JSON.parse(text).node === victim.id) theirs.push(user);
    }
    if (theirs.length === 0) continue;
    const began = performance.now();
    process.kill(victim.pid, 'SIGKILL');
    const { status } = await exchange(new URL('/api/me', cluster.url), { cookie: theirs[0].cookie, agent });
    took.push(performance.now() - began);
    if (status !== 200) failed += 1;
  }
  ended = true;
  await load;
  agent.destroy();
  await cluster.stop();
  const size = ballastMb > 0 ? `, workers of ${ballastMb} MB` : '';
  printTable(`kill -9 to first success of one of its users, ${took.length} kills${size}`, [
    ['p50', ms(percentile(took, 0.5))],
    ['p99', ms(percentile(took, 0.99))],
    ['largest', ms(Math.max(...took))],
    ['failed GETs meanwhile', String(failed)],
  ]);
}

async function benchStart() {
  const wall = [];
  const own = [];
  for (let round = 0; round < 5; round += 1) {
    const cluster = await startCluster();
    const ready = cluster.lines.find((line) => line.kind === 'ready' || line.event === 'ready');
    if (typeof ready?.ms === 'number') own.push(ready.ms);
    wall.push(cluster.startedMs);
    await cluster.stop();
  }
  printTable('start to ready, four nodes, built, 5 starts', [
    ['as limpet start says it: median', own.length ? ms(percentile(own, 0.5)) : 'not said'],
    ['until status says settled, the command included: median', ms(percentile(wall, 0.5))],
  ]);
}

async function benchCost() {
  const cluster = await startCluster({}, ['--nodes', '1']);
  const alone = spawn(process.execPath, [app], {
    env: { ...process.env, PORT: '0', PRINT_PORT: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise((resolve) => alone.stdout.once('data', (text) => resolve(Number(text))));
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const { nodes, balancers } = await cluster.status();
  const rows = [];
  for (const [method, path] of [
    ['GET', '/'],
    ['GET', '/api/counter'],
    ['POST', '/api/counter'],
  ]) {
    for (const [name, url, pids] of [
      [
        'through Limpet (one node)',
        cluster.url,
        [
          ['balancer', balancers[0].pid],
          ['worker', nodes[0].pid],
        ],
      ],
      ['worker directly (node app.js)', `http://127.0.0.1:${port}`, [['worker', alone.pid]]],
    ]) {
      const users = await Promise.all(Array.from({ length: 64 }, () => makeUser(url, agent)));
      await closedLoop(url, path, users, 1_000, { method, agent });
      const before = pids.map(([, pid]) => cpuOf(pid));
      const began = performance.now();
      const { took, failed } = await closedLoop(url, path, users, 5_000, { method, agent });
      const seconds = (performance.now() - began) / 1000;
      const cpu = pids.map(([role, pid], i) => `${role} ${((cpuOf(pid) - before[i]) / took.length).toFixed(0)} µs`);
      rows.push([
        `${method} ${path}, ${name}`,
        `${(took.length / seconds).toFixed(0)}/s · ${cpu.join(' · ')} · failed ${failed}`,
      ]);
    }
  }
  agent.destroy();
  alone.kill('SIGKILL');
  await cluster.stop();
  printTable(
    'requests per second and processor time per request, 64 connections, the client on the same machine',
    rows,
  );
}

async function benchBlock() {
  const cluster = await startCluster();
  const agent = new Agent({ keepAlive: true, maxSockets: 128 });
  const users = await Promise.all(Array.from({ length: 64 }, () => makeUser(cluster.url, agent)));
  const victim = users[0].node;
  const others = users.filter((user) => user.node !== victim).slice(0, 4);
  const blockers = users.filter((user) => user.node === victim);
  const measure = async () => (await closedLoopPaced(cluster.url, others, 8_000, agent)).took;
  await measure(); // Just started: the compiler is still at work.
  const idle = await measure();
  let ended = false;
  // One at a time, 20 ms of every 50: that node is blocked for two fifths of the time.
  const blocking = (async () => {
    while (!ended) {
      await exchange(new URL('/block?ms=20', cluster.url), { cookie: blockers[0].cookie, agent });
      await sleep(30);
    }
  })();
  const busy = await measure();
  ended = true;
  await blocking;
  agent.destroy();
  await cluster.stop();
  printTable(`writes of users on the other nodes while ${victim} blocks 20 ms of every 50`, [
    ['nobody blocks: p50 · p99', `${ms(percentile(idle, 0.5))} · ${ms(percentile(idle, 0.99))}`],
    [`${victim} blocks: p50 · p99`, `${ms(percentile(busy, 0.5))} · ${ms(percentile(busy, 0.99))}`],
  ]);
}

/** Like `closedLoop` with POSTs, but with a pause of 10 ms, so that the processors are not the limit. */
async function closedLoopPaced(url, users, forMs, agent) {
  const endsAt = performance.now() + forMs;
  const took = [];
  await Promise.all(
    users.map(async (user) => {
      while (performance.now() < endsAt) {
        const began = performance.now();
        await exchange(new URL('/api/counter', url), { method: 'POST', cookie: user.cookie, agent });
        took.push(performance.now() - began);
        await sleep(10);
      }
    }),
  );
  return { took };
}

const parts = {
  start: benchStart,
  kills: () => benchKills(0),
  'kills-1gb': () => benchKills(1024),
  cost: benchCost,
  block: benchBlock,
};
const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : Object.keys(parts)) {
  if (!(name in parts)) {
    console.error(`no such part: ${name}; there are ${Object.keys(parts).join(', ')}`);
    process.exit(2);
  }
  await parts[name]();
}
