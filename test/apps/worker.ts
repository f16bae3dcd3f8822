import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FromSupervisor, nodeIdAt, type ToSupervisor, type View, type Welcome } from '@limpet/core';
import { type Link, listen } from '@limpet/transport';
import { preloadEntry } from '@limpet/worker';
import { waitUntil } from '../support/wait-until.ts';

const node = nodeIdAt(1);

/** A view in which `n1` alone is in the ring, as its incarnation 1. */
export const viewOf = (number: number, change: Partial<View> = {}): View => ({
  term: 1,
  number,
  ring: [node],
  next: null,
  leaving: [],
  members: { n1: { id: node, incarnation: 1, weight: 1 } },
  copies: 1,
  keyId: 1,
  hashVersion: 1,
  ...change,
});

const welcome: Welcome = {
  kind: 'welcome',
  rankKey: randomBytes(16),
  macKeys: [randomBytes(16)],
  cookieName: 'JSESSIONID',
  headerName: null,
  store: 'memory',
  deadlineMs: 2_000,
  idleMs: 60_000,
  absoluteMs: 600_000,
  secureCookie: 'auto',
  orphanMs: 0,
  proofKey: randomBytes(16),
};

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** Milliseconds from the request to the first byte of the body. */
  readonly firstMs: number;
}

export interface Asking {
  readonly method?: string;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string | Buffer;
  /** Internal headers besides request id and view, by their names without the prefix. */
  readonly internal?: { readonly [name: string]: string };
  readonly agent?: Agent | false;
}

/** A worker with an app, and a supervisor that only listens. */
export interface Worker {
  readonly child: ChildProcess;
  readonly sockets: string;
  readonly messages: readonly ToSupervisor[];
  output(): string;
  said<K extends ToSupervisor['kind']>(kind: K): Promise<Extract<ToSupervisor, { kind: K }>>;
  tell(message: FromSupervisor): void;
  ask(path: string, asking?: Asking): Promise<Answer>;
  /** Exit code and signal. */
  ended(): Promise<readonly [number | null, NodeJS.Signals | null]>;
  deathNote(): { readonly running: readonly string[]; readonly code: number; readonly error?: string } | null;
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly nodeArgs?: readonly string[];
  readonly args?: readonly string[];
  readonly view?: View;
  readonly welcome?: Partial<Welcome>;
}

const started: Worker[] = [];

/** Ends what the tests have left running. */
export async function stopWorkers(): Promise<void> {
  await Promise.all(started.splice(0).map((worker) => worker.stop()));
}

export const drawRequest = (): string => randomBytes(16).toString('hex');

/** Starts `file` (of this folder) as the supervisor would. Does not wait for it to be ready. */
export async function startApp(file: string, options: StartOptions = {}): Promise<Worker> {
  const sockets = mkdtempSync(join(tmpdir(), 'limpet-'));
  const messages: ToSupervisor[] = [];
  // The app's loop and the keeper have a link each; both follow the views.
  const links = new Set<Link<ToSupervisor, FromSupervisor>>();
  const listener = await listen<ToSupervisor, FromSupervisor>(join(sockets, 'control'), (from) => {
    links.add(from);
    let role = '';
    return {
      close: () => links.delete(from),
      message(message) {
        if (message.kind === 'hello') role = message.role;
        if (role === 'app') messages.push(message);
        if (message.kind !== 'hello') return;
        if (role === 'app') from.send({ ...welcome, ...options.welcome });
        from.send({ kind: 'views', views: [options.view ?? viewOf(1)], deaths: [] });
      },
    };
  });
  const app = fileURLToPath(new URL(file, import.meta.url));
  const run = { role: 'worker', name: 'n1', incarnation: 1, sockets };
  const flags = ['--max-http-header-size=65536', ...(options.nodeArgs ?? []), '--import', preloadEntry.href];
  const child = spawn(process.execPath, [...flags, app, ...(options.args ?? [])], {
    env: { ...process.env, LIMPET_RUN: JSON.stringify(run), LIMPET_NODE: 'n1', PORT: '8080' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  child.stdout?.on('data', (text) => {
    output += text;
  });
  child.stderr?.on('data', (text) => {
    output += text;
  });
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const socketPath = join(sockets, 'n1.1.http');
  const note = join(sockets, 'n1.1.death');
  const worker: Worker = {
    child,
    sockets,
    messages,
    output: () => output,
    said: (kind) =>
      waitUntil(
        () => {
          const found = messages.find((message) => message.kind === kind);
          if (found === undefined && child.exitCode !== null) throw new Error(output);
          return found as never;
        },
        { what: `${kind} of ${file}`, every: 5 },
      ),
    tell: (message) => {
      for (const link of links) link.send(message);
    },
    ask: (path, asking = {}) => ask(socketPath, agent, path, asking),
    ended: () => exit,
    deathNote: () => (existsSync(note) ? JSON.parse(readFileSync(note, 'utf8')) : null),
    async stop() {
      agent.destroy();
      child.kill('SIGKILL');
      await exit;
      await listener.close();
      rmSync(sockets, { recursive: true, force: true });
    },
  };
  started.push(worker);
  return worker;
}

/** Starts it and waits until its server is reached on the node's socket. */
export async function serveApp(file: string, options: StartOptions = {}): Promise<Worker> {
  const worker = await startApp(file, options);
  await worker.said('ready');
  return worker;
}

async function ask(socketPath: string, ownAgent: Agent, path: string, asking: Asking): Promise<Answer> {
  const internal = { request: drawRequest(), view: '1.1', attempt: '1', ...asking.internal };
  const { body, method = 'GET', agent = ownAgent } = asking;
  const headers = {
    host: 'shop.example:8080',
    ...asking.headers,
    ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
    ...Object.fromEntries(Object.entries(internal).map(([name, value]) => [`limpet-${name}`, value])),
  };
  const startedAt = performance.now();
  const sent = request({ socketPath, path, method, headers, agent });
  sent.end(body);
  const [res] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  let firstMs = 0;
  for await (const piece of res.setEncoding('latin1')) {
    firstMs ||= performance.now() - startedAt;
    text += piece;
  }
  const echo = res.headers['limpet-request'];
  if (echo !== internal.request)
    throw new Error(`the echo is ${echo}, not ${internal.request}: ${res.statusCode} ${text}`);
  return { status: res.statusCode ?? 0, headers: res.headers, body: text, firstMs };
}
