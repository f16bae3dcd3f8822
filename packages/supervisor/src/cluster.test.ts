import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { askCluster } from './ask.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterEvent } from './events.ts';
import type { ClusterOptions } from './options.ts';
import { stopOrphans } from './orphans.ts';
import { startTimeOf } from './proc.ts';
import { startCluster } from './start.ts';

const fixture = (name: string) => new URL(`../fixtures/${name}`, import.meta.url);

let folder = '';
let events: ClusterEvent[] = [];
const clusters: Cluster[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'limpet-test-'));
  events = [];
});
afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.abort();
  await stopOrphans(folder);
  rmSync(folder, { recursive: true, force: true });
});

const optionsFor = (args: readonly string[], more: Partial<ClusterOptions> = {}): ClusterOptions => ({
  app: {
    ...{ file: fileURLToPath(fixture('app.mjs')), args, nodeArgs: [], env: {}, cwd: folder },
    preload: fixture('preload.mjs'),
  },
  balancer: { entry: fixture('balancer.mjs') },
  ...{ nodes: 2, balancers: 1, host: '127.0.0.1', port: 0, adminHost: '127.0.0.1', adminPort: 0, runDir: folder },
  ...{
    store: 'buddy',
    copies: 2,
    cookieName: 'JSESSIONID',
    headerName: null,
    secretFile: null,
    trustProxy: [],
    tls: [],
  },
  ...{ deadlineMs: 10_000, idleMs: 1e6, absoluteMs: 1e7, readyTimeoutMs: 10_000, hangKillMs: 30_000 },
  drillDoor: null,
  ...{ orphanMs: 60_000, keyLifeMs: 1e6, replayable: [], keepSessions: false, drainMs: 1_000, ...more },
});

async function start(args: readonly string[] = [], more: Partial<ClusterOptions> = {}): Promise<Cluster> {
  const cluster = await startCluster(optionsFor(args, more), (event) => events.push(event));
  clusters.push(cluster);
  return cluster;
}

const text = async (url: string): Promise<string> => (await fetch(url)).text();
const pidsOf = (cluster: Cluster): readonly number[] =>
  [...cluster.status().nodes, ...cluster.status().balancers].flatMap(({ pid }) => pid ?? []);
const kinds = (kind: ClusterEvent['kind']) => events.filter((event) => event.kind === kind);

describe('cluster', { timeout: 30_000 }, () => {
  test('start, kill, return, stop: every figure is known, nothing is left', async () => {
    const cluster = await start();
    expect(await text(cluster.url)).toMatch(/^n\d 1 1$/);
    const report = await cluster.kill('n2', 'SIGKILL');
    expect(report).toMatchObject({ node: 'n2', incarnation: 1, how: 'SIGKILL', cause: 'killed', complete: true });
    expect(report).toMatchObject({ sessions: 10, took: { n1: 10 }, lost: 0, view: { term: 1, number: 2 } });
    for (const ms of [report.detectedMs, report.servedAfterMs, report.copiesAfterMs, report.backAfterMs]) {
      expect(ms).toBeGreaterThan(0);
    }
    const status = cluster.status();
    expect(status.lastDeaths).toEqual([report]);
    expect(status.nodes[1]).toMatchObject({ id: 'n2', incarnation: 2, health: 'alive', starts: 2 });
    expect(kinds('death')).toEqual([{ kind: 'death', report }]);
    const pids = pidsOf(cluster);
    expect(pids).toHaveLength(3);
    await cluster.stop();
    expect(pids.map(startTimeOf)).toEqual([null, null, null]);
    expect(readdirSync(folder).sort()).toEqual(['keys', 'logs', 'views.json']);
  });

  test('restart in the same run directory: same key, next term', async () => {
    await (await start()).stop();
    const key = readFileSync(join(folder, 'keys'), 'utf8');
    const cluster = await start();
    expect(cluster.status().view).toEqual({ term: 2, number: 1 });
    expect(readFileSync(join(folder, 'keys'), 'utf8')).toBe(key);
  });

  test('working directory of 200 characters with a space and an umlaut: the same', async () => {
    const runDir = join(folder, `d\u00fc sen ${'x'.repeat(90)}`, 'y'.repeat(100), '.limpet');
    mkdirSync(runDir, { recursive: true });
    const cluster = await start([], { runDir });
    expect(await text(cluster.url)).toMatch(/^n\d 1 1$/);
    expect(await askCluster(runDir, 'status', {})).toMatchObject({ ring: ['n1', 'n2'] });
  });

  test('commands over the control socket: status, session, kill, stop; a wrong one is explained', async () => {
    const cluster = await start();
    expect(await askCluster(folder, 'status', {})).toMatchObject({ url: cluster.url, ring: ['n1', 'n2'] });
    const session = await askCluster(folder, 'session', {});
    expect(session).toMatchObject({
      cookie: expect.stringMatching(/^JSESSIONID=[\w-]{40}$/),
      primary: expect.any(String),
    });
    expect(await askCluster(folder, 'session', { id: (session as { cookie: string }).cookie })).toEqual(session);
    await expect(askCluster(folder, 'session', { id: 'x' })).rejects.toMatchObject({ code: 'LIMPET_BAD_COMMAND' });
    await expect(askCluster(folder, 'kill', { node: 'n9' })).rejects.toThrow(
      'there is no node "n9": the nodes are n1, n2',
    );
    await expect(askCluster(folder, 'kill', { node: 'n1', signal: 'STOP' })).rejects.toThrow(/not a signal that ends/);
    expect(await askCluster(folder, 'kill', { node: 'n1', signal: 'KILL' })).toMatchObject({
      node: 'n1',
      complete: true,
    });
    await askCluster(folder, 'stop', {});
    await expect(askCluster(folder, 'status', {})).rejects.toMatchObject({ code: 'LIMPET_NO_CLUSTER' });
  });

  test('stop under load: no request that was taken fails', async () => {
    const cluster = await start();
    const outcomes: Promise<string>[] = [];
    const ask = () =>
      new Promise<string>((resolve) => {
        request(`${cluster.url}/slow`, { agent: false }, (res) => {
          res.resume().on('end', () => resolve(String(res.statusCode)));
        })
          .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'))
          .end();
      });
    const timer = setInterval(() => outcomes.push(ask()), 20);
    await vi.waitFor(() => expect(outcomes.length).toBeGreaterThan(20), { timeout: 5_000 });
    const stopped = cluster.stop();
    const before = outcomes.length;
    await stopped;
    clearInterval(timer);
    const all = await Promise.all(outcomes);
    expect(new Set(all.slice(0, before))).toEqual(new Set(['200']));
    expect(all.slice(before).filter((outcome) => outcome !== '200' && outcome !== 'ECONNREFUSED')).toEqual([]);
  });

  test('the run directory cannot be written any more: warned, and the dead are replaced all the same', async () => {
    const cluster = await start();
    rmSync(join(folder, 'views.json'));
    mkdirSync(join(folder, 'views.json'));
    rmSync(join(folder, 'processes.json'));
    mkdirSync(join(folder, 'processes.json'));
    expect(await cluster.kill('n1', 'SIGKILL')).toMatchObject({ complete: true, took: { n2: 10 } });
    expect(kinds('warning').length).toBeGreaterThanOrEqual(2);
  });

  test('the only balancer is killed: the next one serves on the same port', async () => {
    const cluster = await start();
    const pid = Number(await text(`${cluster.url}/pid`));
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(async () => expect(Number(await text(`${cluster.url}/pid`))).not.toBe(pid), { timeout: 5_000 });
    expect(kinds('balancer-died')).toEqual([{ kind: 'balancer-died', balancer: 'b1', how: 'SIGKILL' }]);
  });

  test('store memory: no copies: what died is lost, and said so', async () => {
    const cluster = await start([], { store: 'memory' });
    await vi.waitFor(() => expect(cluster.status().nodes[0]?.sessions.primary).toBe(30));
    const report = await cluster.kill('n1', 'SIGKILL');
    expect(report).toMatchObject({ sessions: 30, lost: 30, took: {}, copiesAfterMs: null, complete: true });
    expect(cluster.status()).toMatchObject({ copies: 1, ring: ['n1', 'n2'] });
  });
});

describe('trouble at start', { timeout: 30_000 }, () => {
  test('the app throws everywhere: its error once, then the start fails with it, nothing is left', async () => {
    await expect(start(['throw'])).rejects.toMatchObject({
      code: 'LIMPET_ALL_NODES_FAILED',
      detail: { reason: 'Error: no ledger at 127.0.0.1:5432' },
    });
    const shown = events.filter((event) => event.kind === 'output' && event.line.startsWith('Error: '));
    expect(shown).toHaveLength(1);
    expect(kinds('node-failed')).toHaveLength(2);
    expect(kinds('start-failed')).toHaveLength(8);
    expect(existsSync(join(folder, 'processes.json'))).toBe(false);
  });

  test('one node never listens: the others run, it is down with its reason', async () => {
    const cluster = await start(['throw', 'n2']);
    await vi.waitFor(() => expect(cluster.status().nodes[1]?.givenUp).toBe(true), { timeout: 15_000 });
    expect(cluster.status().nodes[1]).toMatchObject({
      health: 'dead',
      reason: 'Error: no ledger at 127.0.0.1:5432',
      starts: 5,
    });
    expect(cluster.status().ring).toEqual(['n1']);
  });

  test('a living cluster in the run directory: refused with its pid', async () => {
    await start();
    await expect(start()).rejects.toThrow(`a cluster is running in ${folder} (process ${process.pid})`);
  });

  test('the port is in use: refused, nothing is left', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const port = (other.address() as { port: number }).port;
    try {
      await expect(start([], { port })).rejects.toMatchObject({ code: 'LIMPET_PORT_IN_USE' });
      await expect(start([], { adminPort: port })).rejects.toThrow(/--admin-port/);
    } finally {
      other.close();
    }
    expect(existsSync(join(folder, 'sockets'))).toBe(false);
  });

  test('stopped by command while it starts: the start ends as a stopped cluster', async () => {
    const started = start(['never']);
    await vi.waitFor(() => expect(existsSync(join(folder, 'cluster.json'))).toBe(true));
    await askCluster(folder, 'stop', {});
    await (await started).stopped;
    expect(events.map(({ kind }) => kind)).toEqual(['starting', 'stopping', 'stopped']);
    expect(existsSync(join(folder, 'processes.json'))).toBe(false);
  });

  test('the first view cannot be written: refused, nothing is left', async () => {
    mkdirSync(join(folder, 'views.json'));
    await expect(start()).rejects.toMatchObject({ code: 'LIMPET_RUN_DIRECTORY' });
    expect(existsSync(join(folder, 'processes.json'))).toBe(false);
  });

  test('interrupted while it starts: rejects with the reason, nothing is left', async () => {
    const controller = new AbortController();
    const started = startCluster(optionsFor(['never']), (event) => events.push(event), controller.signal);
    controller.abort(new Error('interrupted'));
    await expect(started).rejects.toThrow('interrupted');
    expect(existsSync(join(folder, 'processes.json'))).toBe(false);
  });
});

describe('without a supervisor', { timeout: 30_000 }, () => {
  test('the supervisor is killed: workers go on; stop ends them', async () => {
    const program = join(folder, 'supervise.mjs');
    const index = new URL('../dist/index.js', import.meta.url).href;
    const options = JSON.stringify({
      ...optionsFor([]),
      app: { ...optionsFor([]).app, preload: null },
      balancer: null,
    });
    writeFileSync(
      program,
      `import { startCluster } from ${JSON.stringify(index)};
       const options = ${options};
       options.app.preload = new URL(${JSON.stringify(fixture('preload.mjs').href)});
       options.balancer = { entry: new URL(${JSON.stringify(fixture('balancer.mjs').href)}) };
       const cluster = await startCluster(options, () => {});
       console.log(cluster.url);`,
    );
    const supervisor = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(supervisor.stdout, 'data')) as [Buffer];
    const url = line.toString().trim();
    supervisor.kill('SIGKILL');
    await once(supervisor, 'exit');
    expect(await text(url)).toMatch(/^n\d 1 1$/);
    const ended = await stopOrphans(folder);
    expect(ended.map(({ name }) => name).sort()).toEqual(['b1', 'n1', 'n2']);
    expect(ended.map(({ pid }) => startTimeOf(pid))).toEqual([null, null, null]);
    expect(await stopOrphans(folder)).toEqual([]);
    expect(existsSync(join(folder, 'sockets'))).toBe(false);
  });
});
