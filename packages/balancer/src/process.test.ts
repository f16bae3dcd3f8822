import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type NodeId, nodeIdAt } from '@limpet/core';
import { afterEach, describe, expect, test } from 'vitest';
import { get, type Handler, raw, TestCluster, until } from '../testing/harness.ts';

const n1 = nodeIdAt(1);
const n2 = nodeIdAt(2);
let cluster: TestCluster;
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await cluster.close();
});

const entry = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** The built entry as the supervisor spawns it: the bound socket as descriptor 3, detached, named in LIMPET_RUN. */
async function startProcess(handler?: Handler): Promise<{ readonly port: number; readonly child: ChildProcess }> {
  cluster = new TestCluster({ nodes: 2 });
  await cluster.prepare(handler);
  const bound = createServer();
  bound.listen(0, '127.0.0.1');
  await once(bound, 'listening');
  const { port } = bound.address() as AddressInfo;
  const { fd } = (bound as unknown as { readonly _handle: { readonly fd: number } })._handle;
  const run = { role: 'balancer', name: 'b1', incarnation: 1, sockets: cluster.folder };
  const child = spawn(process.execPath, [entry], {
    env: { ...process.env, LIMPET_RUN: JSON.stringify(run) },
    stdio: ['ignore', 'inherit', 'inherit', fd],
    detached: true,
  });
  children.push(child);
  await cluster.until('ready');
  bound.close();
  return { port, child };
}

/** Memory of a process in MB. */
const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

describe('balancer process', () => {
  test('start, serve, stop: announces itself, answers, finishes what runs and exits 0', async () => {
    let finish = () => {};
    const { port, child } = await startProcess((request, response) => {
      if (request.url === '/slow') finish = () => response.end('done');
      else response.end('ok');
    });
    expect(cluster.told[0]).toMatchObject({ kind: 'hello', role: 'balancer', name: 'b1', incarnation: 1, seen: null });
    expect((await raw(port, get('/'))).body).toBe('ok');
    const slow = raw(port, 'GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() =>
      [...cluster.workers.values()].some((worker) => worker.received.some((got) => got.url === '/slow')),
    );
    cluster.tell({ kind: 'stop', graceMs: 5_000 });
    // Stopped accepting: the descriptor here is closed too, so a connection is refused.
    await new Promise<void>((resolve) => {
      const attempt = () =>
        connect(port, '127.0.0.1')
          .on('error', () => resolve())
          .on('connect', function (this: { destroy(): void }) {
            this.destroy();
            setImmediate(attempt);
          });
      attempt();
    });
    finish();
    expect((await slow).body).toBe('done');
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
  });

  test('worker killed with SIGKILL under load: no GET fails', async () => {
    const { port } = await startProcess((_, response) => void response.end('n2'));
    // n1 becomes a process of its own, in the place of the one in this process.
    cluster.worker(n1).die();
    const path = join(cluster.folder, 'n1.1.http');
    await until(() => !existsSync(path));
    const worker = spawn(process.execPath, ['-e', workerSource, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(worker);
    await once(worker.stdout, 'data');
    worker.on('exit', () =>
      cluster.publishWithout([n1], [{ node: n1, incarnation: 1, cause: 'killed', how: 'SIGKILL', running: null }]),
    );
    const answers = new Map<string, number>();
    const ask = async (node: NodeId): Promise<void> => {
      const cookie = `Cookie: JSESSIONID=${cluster.sessionAt(node)}`;
      for (let time = 0; time < 40; time++) {
        const answer = await raw(port, get('/', [cookie]));
        const key = `${answer.status} ${answer.body}`;
        answers.set(key, (answers.get(key) ?? 0) + 1);
      }
    };
    const nodes = [n1, n1, n1, n2, n2, n1, n1, n2];
    const all = Promise.all(nodes.map(ask));
    await until(() => (answers.get('200 n1') ?? 0) > 20);
    worker.kill('SIGKILL');
    await all;
    expect([...answers.keys()].sort()).toEqual(['200 n1', '200 n2']);
  });

  test('200 MB up and 200 MB down: back-pressure both ways, memory grows by at most 50 MB', async () => {
    const total = 200 * 1024 * 1024;
    const chunk = Buffer.alloc(256 * 1024, 1);
    const { port, child } = await startProcess((request, response) => {
      if (request.method === 'GET') {
        let left = request.url === '/warm' ? total / 8 : total;
        const more = () => {
          while (left > 0) {
            left -= chunk.length;
            if (!response.write(chunk)) return void response.once('drain', more);
          }
          response.end();
        };
        more();
        return;
      }
      response.writeProcessing();
      let bytes = 0;
      request.on('data', (part: Buffer) => (bytes += part.length));
      request.on('end', () => response.end(String(bytes)));
    });
    // What code and buffers take once is not growth.
    await raw(port, get('/warm'));
    const pid = child.pid ?? 0;
    const before = residentMb(pid);
    let peak = before;
    const sample = setInterval(() => {
      peak = Math.max(peak, residentMb(pid));
    }, 20);
    const down = await new Promise<number>((resolve, reject) => {
      httpRequest({ port, host: '127.0.0.1', path: '/' }, (response) => {
        let bytes = 0;
        response.on('data', (part: Buffer) => {
          bytes += part.length;
          // A reader slower than the worker writes: what is not read must stay with the worker.
          if (bytes % (16 * 1024 * 1024) < part.length) {
            response.pause();
            setImmediate(() => response.resume());
          }
        });
        response.on('end', () => resolve(bytes));
        response.on('error', reject);
      }).end();
    });
    const up = await new Promise<string>((resolve, reject) => {
      const request = httpRequest({ port, host: '127.0.0.1', path: '/', method: 'POST' }, (response) => {
        let text = '';
        response.on('data', (part) => (text += part));
        response.on('end', () => resolve(text));
      });
      request.on('error', reject);
      let left = total;
      const more = () => {
        while (left > 0) {
          left -= chunk.length;
          if (!request.write(chunk)) return void request.once('drain', more);
        }
        request.end();
      };
      more();
    });
    clearInterval(sample);
    expect(down).toBe(total);
    expect(up).toBe(String(total));
    expect(peak - before).toBeLessThan(50);
  });

  test('supervisor gone: goes on with the last view, says hello with it when it is back', async () => {
    const { port } = await startProcess();
    await cluster.restartControl();
    expect((await raw(port, get('/'))).body).toBe('ok');
    await cluster.until('hello', 2);
    const hellos = cluster.told.filter((message) => message.kind === 'hello');
    expect(hellos[1]).toMatchObject({ seen: { term: 1, number: 1 } });
    await cluster.until('ready', 2);
  });

  test('a supervisor with other keys: refused, nothing it says is taken; the right one is found again', async () => {
    const { port } = await startProcess();
    await cluster.restartControl(new Uint8Array(16).fill(9));
    await cluster.until('proof');
    expect(cluster.told.filter((message) => message.kind === 'proof')).toEqual([{ kind: 'proof', proof: null }]);
    const { view } = cluster;
    cluster.publish({ ...view, number: 2, ring: [], members: {} });
    expect((await raw(port, get('/'))).body).toBe('ok');
    cluster.view = view;
    await cluster.restartControl();
    await cluster.until('ready', 2);
  });

  test('told to start another one: it serves on the same port, and lives on when its parent is gone', async () => {
    const { port, child } = await startProcess();
    const run = { role: 'balancer', name: 'b2', incarnation: 1, sockets: cluster.folder };
    const env = { ...process.env, LIMPET_RUN: JSON.stringify(run) } as { readonly [name: string]: string };
    const program = {
      file: process.execPath,
      argv: [entry],
      cwd: cluster.folder,
      env,
      log: `${cluster.folder}/b2.log`,
    };
    cluster.tell({ kind: 'spawn', sequence: 7, program });
    await cluster.until('spawned');
    const spawned = cluster.told.find((message) => message.kind === 'spawned');
    expect(spawned).toMatchObject({ sequence: 7, pid: expect.any(Number), why: '' });
    await cluster.until('ready', 2);
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    expect((await raw(port, get('/'))).body).toBe('ok');
    process.kill(Number(spawned?.kind === 'spawned' && spawned.pid), 'SIGKILL');
  });

  test('the program to start does not exist: said, with the reason', async () => {
    await startProcess();
    const program = { file: '/nowhere/node', argv: [], cwd: cluster.folder, env: {}, log: `${cluster.folder}/b2.log` };
    cluster.tell({ kind: 'spawn', sequence: 8, program });
    await cluster.until('spawned');
    const spawned = cluster.told.find((message) => message.kind === 'spawned');
    expect(spawned).toMatchObject({ sequence: 8, pid: null, why: expect.stringContaining('ENOENT') });
  });
});

const workerSource = `
require('node:http').createServer((request, response) => {
  response.setHeader('limpet-request', request.headers['limpet-request']);
  response.setHeader('limpet-view', request.headers['limpet-view']);
  setTimeout(() => response.end('n1'), 2);
}).listen(process.argv[1], () => console.log('ready'));
`;
