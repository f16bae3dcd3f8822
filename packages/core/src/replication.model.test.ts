import { describe, expect, test } from 'vitest';
import { Client, type Tally } from './model-client.test-suite.ts';
import { Cluster, key, type Options, rank } from './model-cluster.test-suite.ts';
import { formatSessionId } from './session-id.ts';

function play(options: Options, sessions: number, operations: number) {
  const cluster = new Cluster(options);
  expect(cluster.run(5_000, () => cluster.settledWhole && cluster.balancerView !== null)).toBe(true);
  const tallies: Tally[] = [];
  const clients: Client[] = [];
  for (let i = 0; i < sessions; i += 1) {
    const placement = new Uint8Array(5).map(() => cluster.random() * 256);
    const id = formatSessionId({ arm: 0, placement, random: new Uint8Array(16).fill(i) }, key);
    const tally: Tally = { acknowledged: 0, unknown: 0, values: [] };
    tallies.push(tally);
    const view = cluster.membership.view;
    const home = view ? rank(id, view.ring, view.members)[0] : undefined;
    const worker = home ? cluster.workers.get(home) : undefined;
    if (!worker) throw new Error('no home');
    const request = cluster.requestId();
    cluster.ask(
      worker,
      (token) => ({ kind: 'create', id, request, token }),
      () => {},
    );
    const change = { set: new Map(), remove: [] };
    const create = { createdAt: 0, expiresAt: 1e12 };
    const commit = {
      request,
      ordinal: 1,
      change,
      destroy: false,
      carries: [],
      answer: null,
      kept: [],
      create,
      bury: null,
      at: 0,
    };
    cluster.ask(
      worker,
      (token) => ({ kind: 'commit', id, commit, token }),
      () => {
        cluster.stepPrimary(worker, { kind: 'close', id, request });
        for (let c = 0; c < 2; c += 1) clients.push(new Client(cluster, id, tally, operations, c === 1));
      },
    );
  }
  let kills = 0;
  const chaos = () => {
    const living = [...cluster.workers.values()].filter((w) => w.alive && cluster.membership.view?.members[w.id]);
    if (kills < options.kills && cluster.protected && living.length > 2) {
      const victim = living[Math.floor(cluster.random() * living.length)];
      if (victim && cluster.membership.view?.members[victim.id]?.incarnation === victim.incarnation) {
        kills += 1;
        cluster.kill(victim.id);
      }
    }
    cluster.at(20 + cluster.random() * 150, chaos);
  };
  expect(cluster.run(cluster.nowMs + 2_000, () => clients.length === sessions * 2)).toBe(true);
  cluster.at(30, chaos);
  const ended = () => clients.length === sessions * 2 && clients.every((client) => client.finished >= operations);
  const finished = cluster.run(120_000, () => ended() && kills >= options.kills && cluster.settledWhole);
  return { cluster, clients, tallies, kills, finished };
}

function check({ cluster, clients, tallies, finished }: ReturnType<typeof play>, seed: number): void {
  const stuck = clients.filter((c) => c.finished < c.operations).map((c) => c.stuck);
  expect({ seed, finished, stuck }).toEqual({ seed, finished: true, stuck: [] });
  for (const tally of tallies) {
    expect(new Set(tally.values).size, `seed ${seed}: every acknowledged value once`).toBe(tally.values.length);
    const top = Math.max(...tally.values);
    expect(top, `seed ${seed}: nothing lost`).toBeGreaterThanOrEqual(tally.acknowledged);
    expect(top, `seed ${seed}: nothing doubled`).toBeLessThanOrEqual(tally.acknowledged + tally.unknown);
  }
  for (const worker of cluster.workers.values()) expect(worker.primary.unprotected, `seed ${seed}`).toBe(0);
}

describe('replication', () => {
  test('no faults: two clients per session: every increment counted once', () => {
    for (let seed = 0; seed < 20; seed += 1) {
      check(play({ seed, kills: 0, copies: 2, nodes: 4 }, 6, 10), seed);
    }
  });

  test('kills, joins, handovers: nothing acknowledged is lost, nothing runs twice', () => {
    const seeds = Number(process.env['LIMPET_MODEL_SEEDS'] ?? 40);
    for (let seed = 100; seed < 100 + seeds; seed += 1) {
      check(play({ seed, kills: 6, copies: 2, nodes: 4 }, 6, 60), seed);
    }
  });

  test('three copies: the same', () => {
    for (let seed = 0; seed < 10; seed += 1) check(play({ seed, kills: 4, copies: 3, nodes: 4 }, 4, 40), seed);
  });
});
