// Figures of this machine, printed as tables; not a test. `npm run bench [-- kills|kills-adopted|start|cost|block|neighbour|recopy|full-stop ...]`
// All processes are real, started by `limpet start`; processor time is read from /proc/<pid>/stat.
import { spawn } from 'node:child_process';
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { benchBlock, benchNeighbour } from './bench/block.mjs';
import {
  app,
  closedLoop,
  cpuOf,
  exchange,
  makeUser,
  ms,
  percentile,
  printTable,
  startAdopted,
  startCluster,
} from './bench/cluster.mjs';
import { benchFullStop } from './bench/full-stop.mjs';
import { benchRecopy } from './bench/recopy.mjs';

const kills = Number(process.env.KILLS ?? 20);

/** `start`: how the cluster comes about; `what`: what is special about it, for the table. */
async function benchKills({ ballastMb = 0, start = startCluster, what = '' } = {}) {
  // SLOW_DISK_MS: what a kill costs where each fsync takes so much longer.
  const slow = process.env.SLOW_DISK_MS
    ? { NODE_OPTIONS: `--import ${new URL('./bench/slow-disk.mjs', import.meta.url).href}` }
    : {};
  const cluster = await start({ BALLAST_MB: String(ballastMb), ...slow });
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
  const disk = cluster.lines.filter(({ event }) => event === 'died').map(({ diskMs }) => diskMs);
  const deaths = cluster.lines.filter(({ event, complete }) => event === 'death' && complete);
  const back = deaths.map(({ backAfterMs }) => backAfterMs);
  printTable(`kill -9 to first success of one of its users, ${took.length} kills${what}`, [
    ['p50', ms(percentile(took, 0.5))],
    ['p99', ms(percentile(took, 0.99))],
    ['of that both fsyncs of the view: p50 · largest', `${ms(percentile(disk, 0.5))} · ${ms(Math.max(...disk))}`],
    ['largest', ms(Math.max(...took))],
    ['its node back in the ring: p50 · largest', `${ms(percentile(back, 0.5))} · ${ms(Math.max(...back))}`],
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

const parts = {
  start: benchStart,
  'full-stop': benchFullStop,
  kills: () => benchKills(),
  'kills-1gb': () => benchKills({ ballastMb: 1024, what: ', workers of 1024 MB' }),
  'kills-adopted': () => benchKills({ start: startAdopted, what: ', after an adoption' }),
  cost: benchCost,
  block: benchBlock,
  neighbour: benchNeighbour,
  recopy: benchRecopy,
};
const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : Object.keys(parts)) {
  if (!(name in parts)) {
    console.error(`no such part: ${name}; there are ${Object.keys(parts).join(', ')}`);
    process.exit(2);
  }
  await parts[name]();
}
