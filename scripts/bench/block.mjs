// What blocked loops do to writes: with the copies of every session made before its answer, and without.
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { exchange, makeUser, ms, percentile, printTable, startCluster } from './cluster.mjs';

const rounds = Number(process.env.ROUNDS ?? 6);
const users = 24;
/**
 * Between two requests of one user, on average: the processors must not be the limit. Drawn anew each time: with a fixed
 * pause a blocked loop lets its users go all at once, and they come back all at once for ever.
 */
const pauseMs = 100;
const pause = () => sleep(pauseMs * (0.5 + Math.random()));
const warmMs = 4_000;
const measureMs = 12_000;
/** Every so many requests of each user one blocks the loop of the user's own node. */
const blockEvery = 20;
const blockMs = 50;
/** IDLE=1: the loop stands without using the processor, as in a synchronous call of the system. */
const blockPath = `/block?ms=${blockMs}${process.env.IDLE ? '&idle' : ''}`;
/** How much later a write may be at p99 because it is copied. */
const allowedMs = 5;

/** Every user writes, pauses, writes; one request in `blockEvery` blocks instead. Latencies of the writes. */
async function blockingLoad(url, some, agent, forMs) {
  const endsAt = performance.now() + forMs;
  const took = [];
  let failed = 0;
  await Promise.all(
    some.map(async ({ cookie }, at) => {
      await sleep((at * pauseMs) / some.length);
      for (let turn = at; performance.now() < endsAt; turn += 1) {
        const isBlocking = turn % blockEvery === 0;
        const [method, path] = isBlocking ? ['GET', blockPath] : ['POST', '/api/counter'];
        const began = performance.now();
        const { status } = await exchange(new URL(path, url), { method, cookie, agent });
        if (!isBlocking) took.push(performance.now() - began);
        if (status !== 200) failed += 1;
        await pause();
      }
    }),
  );
  return { took, failed };
}

async function measureStore(store) {
  const cluster = await startCluster({}, ['--store', store]);
  const agent = new Agent({ keepAlive: true, maxSockets: 128 });
  const some = await Promise.all(Array.from({ length: users }, () => makeUser(cluster.url, agent)));
  await blockingLoad(cluster.url, some, agent, warmMs);
  const { took, failed } = await blockingLoad(cluster.url, some, agent, measureMs);
  agent.destroy();
  await cluster.stop();
  return { took, failed };
}

/** The stores take turns, so that a slow minute of the machine is in both; each round is a cluster of its own. */
export async function benchBlock() {
  const results = { memory: [], buddy: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const store of round % 2 === 0 ? ['memory', 'buddy'] : ['buddy', 'memory']) {
      results[store].push(await measureStore(store));
    }
  }
  const all = (store) => results[store].flatMap(({ took }) => took);
  const p99s = (store) => results[store].map(({ took }) => percentile(took, 0.99));
  const row = (store) => [
    `${store}: p50 · p90 · p99 of all rounds`,
    [0.5, 0.9, 0.99].map((share) => ms(percentile(all(store), share))).join(' · '),
  ];
  const differenceMs = percentile(all('buddy'), 0.99) - percentile(all('memory'), 0.99);
  const failed = [...results.memory, ...results.buddy].reduce((sum, result) => sum + result.failed, 0);
  printTable(
    `writes while one request in ${blockEvery} blocks its node for ${blockMs} ms: ${users} users, four nodes, ${rounds} rounds of each store`,
    [
      row('memory'),
      row('buddy'),
      ['memory: p99 of each round', p99s('memory').map(ms).join(', ')],
      ['buddy: p99 of each round', p99s('buddy').map(ms).join(', ')],
      [
        'p99 later by copying',
        `${ms(differenceMs)}, at most ${allowedMs} ms ${differenceMs <= allowedMs ? 'kept' : 'MISSED'}`,
      ],
      ['writes · failed', `${all('memory').length} + ${all('buddy').length} · ${failed}`],
    ],
  );
}

/** Users of three nodes write while the fourth blocks: whether acknowledgements wait for a busy app. */
export async function benchNeighbour() {
  const cluster = await startCluster();
  const agent = new Agent({ keepAlive: true, maxSockets: 128 });
  const some = await Promise.all(Array.from({ length: 64 }, () => makeUser(cluster.url, agent)));
  const victim = some[0].node;
  const others = some.filter((user) => user.node !== victim).slice(0, 4);
  const measure = () => closedLoopPaced(cluster.url, others, 8_000, agent);
  await measure(); // Just started: the compiler is still at work.
  const idle = await measure();
  let ended = false;
  // One at a time, 20 ms of every 50: that node is blocked for two fifths of the time.
  const blocking = (async () => {
    while (!ended) {
      await exchange(new URL('/block?ms=20', cluster.url), { cookie: some[0].cookie, agent });
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

/** Writes with a pause of 10 ms, so that the processors are not the limit; latencies in milliseconds. */
async function closedLoopPaced(url, some, forMs, agent) {
  const endsAt = performance.now() + forMs;
  const took = [];
  await Promise.all(
    some.map(async ({ cookie }) => {
      while (performance.now() < endsAt) {
        const began = performance.now();
        await exchange(new URL('/api/counter', url), { method: 'POST', cookie, agent });
        took.push(performance.now() - began);
        await sleep(10);
      }
    }),
  );
  return took;
}
