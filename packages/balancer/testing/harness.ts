import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createRank,
  type Death,
  type FromSupervisor,
  formatSessionId,
  type Member,
  type NodeId,
  nodeIdAt,
  type SessionId,
  sipKey,
  type ToSupervisor,
  type View,
  type Welcome,
} from '@limpet/core';
import { type Link, listen, Verifier } from '@limpet/transport';
import { Balancer } from '../src/balancer.ts';
import type { Log } from '../src/log.ts';

/** The other two sides of a balancer, real on their sockets: a supervisor that says what a test tells it to, and workers. */

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** What a worker's preload would see of a request. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly headers: IncomingMessage['headers'];
}

export class TestWorker {
  readonly received: Received[] = [];
  readonly server: Server;
  readonly sockets = new Set<Socket>();

  constructor(handler: Handler) {
    this.server = createServer({ maxHeaderSize: 65_536 });
    this.server.keepAliveTimeout = 0;
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    this.server.on('request', (request, response) => {
      const { method = '', url = '', rawHeaders, headers } = request;
      this.received.push({ method, url, rawHeaders, headers });
      echo(request, response);
      handler(request, response);
    });
  }

  listen(path: string): Promise<void> {
    return new Promise((resolve) => this.server.listen(path, resolve));
  }

  /** Everything of it ends at once, as with kill -9. */
  die(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

/** The head lines every worker's answer has. */
export function echo(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('limpet-request', request.headers['limpet-request'] ?? '');
  response.setHeader('limpet-view', request.headers['limpet-view'] ?? '');
}

const ok: Handler = (request, response) => {
  request.resume();
  request.on('end', () => response.end('ok'));
};

export interface ClusterOptions {
  readonly nodes?: number;
  /** Where the balancer logs. */
  readonly log?: Log;
  readonly welcome?: Partial<Welcome>;
}

export class TestCluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'lb-'));
  readonly workers = new Map<NodeId, TestWorker>();
  readonly told: ToSupervisor[] = [];
  /** Called for everything the balancer tells, after it was noted. */
  onTold: (message: ToSupervisor) => void = () => {};
  view: View;
  readonly welcome: Welcome;
  #links = new Set<Link<ToSupervisor, FromSupervisor>>();
  #listener: { close(): Promise<void> } | null = null;
  balancer: Balancer | null = null;
  readonly ended: number[] = [];

  readonly #log: Log;

  /** Of a supervisor with other keys than the one that welcomed the balancer; null: the same. */
  proofKey: Uint8Array | null = null;

  constructor(options: ClusterOptions = {}) {
    this.#log = options.log ?? { warn: () => {}, error: (...values: unknown[]) => console.error(...values) };
    const nodes = options.nodes ?? 2;
    const ring = Array.from({ length: nodes }, (_, at) => nodeIdAt(at + 1));
    const members: Record<string, Member> = {};
    for (const id of ring) members[id] = { id, incarnation: 1, weight: 1 };
    this.view = { term: 1, number: 1, ring, next: null, leaving: [], members, copies: 2, keyId: 1, hashVersion: 1 };
    this.welcome = {
      kind: 'welcome',
      rankKey: new Uint8Array(16).fill(1),
      macKeys: [new Uint8Array(16).fill(2)],
      proofKey: new Uint8Array(16).fill(3),
      cookieName: 'JSESSIONID',
      headerName: null,
      store: 'buddy',
      deadlineMs: 10_000,
      idleMs: 60_000,
      absoluteMs: 60_000,
      secureCookie: false,
      orphanMs: 600_000,
      ...options.welcome,
    };
  }

  /** Listens as the supervisor would, starts the workers; `handler` is every worker's app. Null: a test brings its own. */
  async prepare(handler: Handler | null = ok): Promise<void> {
    if (handler !== null) for (const id of this.view.ring) await this.addWorker(id, handler);
    await this.#listen();
  }

  /** The supervisor ends and another one listens in its place, with this key if one is given. */
  async restartControl(proofKey: Uint8Array | null = null): Promise<void> {
    this.proofKey = proofKey;
    await this.#listener?.close();
    await this.#listen();
  }

  async #listen(): Promise<void> {
    this.#listener = await listen<ToSupervisor, FromSupervisor>(join(this.folder, 'control'), (link) => {
      this.#links.add(link);
      const verifier = new Verifier(this.proofKey ?? this.welcome.proofKey);
      return {
        message: (message) => {
          this.told.push(message);
          const isGreeting = message.kind === 'hello';
          if (isGreeting && message.nonce !== null) {
            link.send({ kind: 'challenge', ...verifier.challenge(message, message.nonce) });
          } else if (isGreeting || (message.kind === 'proof' && verifier.accepts(message.proof))) {
            link.send(this.welcome);
            link.send({ kind: 'views', views: [this.view], deaths: [] });
            link.send({ kind: 'settled', view: this.view, whole: true });
          }
          this.onTold(message);
        },
        close: () => this.#links.delete(link),
      };
    });
  }

  async addWorker(id: NodeId, handler: Handler, incarnation = 1): Promise<TestWorker> {
    const worker = new TestWorker(handler);
    await worker.listen(this.socketOf(id, incarnation));
    this.workers.set(id, worker);
    return worker;
  }

  /** Where the balancer looks for a worker. */
  socketOf(id: NodeId, incarnation = 1): string {
    return join(this.folder, `${id}.${incarnation}.http`);
  }

  /** Workers and one balancer in this process, listening on a free port. */
  async start(handler: Handler | null = ok): Promise<number> {
    await this.prepare(handler);
    this.balancer = new Balancer({
      name: 'b1',
      incarnation: 1,
      sockets: this.folder,
      version: '0.1.0',
      listen: { port: 0, host: '127.0.0.1' },
      log: this.#log,
      onEnd: (code) => this.ended.push(code),
    });
    await this.until('ready');
    return (this.balancer.address as AddressInfo).port;
  }

  tell(message: FromSupervisor): void {
    for (const link of this.#links) link.send(message);
  }

  /** Publishes the next view, without `gone`, as after their deaths. */
  publishWithout(gone: readonly NodeId[], deaths: readonly Death[] = []): void {
    const members = { ...this.view.members };
    for (const id of gone) delete members[id];
    const ring = this.view.ring.filter((id) => !gone.includes(id));
    this.publish({ ...this.view, number: this.view.number + 1, ring, members }, deaths);
  }

  publish(view: View, deaths: readonly Death[] = []): void {
    this.view = view;
    this.tell({ kind: 'views', views: [view], deaths });
  }

  settle(whole = true): void {
    this.tell({ kind: 'settled', view: this.view, whole });
  }

  /** Waits until the balancer has told something of this kind. */
  async until(kind: ToSupervisor['kind'], count = 1): Promise<void> {
    await until(() => this.told.filter((message) => message.kind === kind).length >= count);
  }

  /** A valid session id whose home is this node. */
  sessionAt(node: NodeId): SessionId {
    const rank = createRank(sipKey(this.welcome.rankKey));
    for (;;) {
      const key = sipKey(this.welcome.macKeys[0] ?? new Uint8Array(16));
      const id = formatSessionId({ arm: 0, placement: randomBytes(5), random: randomBytes(16) }, key);
      if (rank(id, this.view.ring, this.view.members)[0] === node) return id;
    }
  }

  worker(id: NodeId): TestWorker {
    const worker = this.workers.get(id);
    if (worker === undefined) throw new Error(`no worker ${id}`);
    return worker;
  }

  async close(): Promise<void> {
    await this.balancer?.close();
    for (const worker of this.workers.values()) worker.die();
    await this.#listener?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits until the condition holds; the test's own time limit bounds it. */
export async function until(isMet: () => boolean): Promise<void> {
  while (!isMet()) await new Promise((resolve) => setImmediate(resolve));
}

/** A raw answer as it came. */
export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
  readonly text: string;
}

/** Sends bytes and reads until the server closes. */
export function raw(port: number, ...parts: readonly (string | Buffer)[]): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => {
      const text = Buffer.concat(chunks).toString('latin1');
      const split = text.indexOf('\r\n\r\n');
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
      resolve({ status, head: text.slice(0, split), body: text.slice(split + 4), text });
    });
    for (const part of parts) socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part);
  });
}

/** A request head with `Connection: close`. */
export const get = (path: string, lines: readonly string[] = [], method = 'GET'): string =>
  [`${method} ${path} HTTP/1.1`, 'Host: a.example', 'Connection: close', ...lines, '', ''].join('\r\n');

/** Starts the cluster with a handler that is told on which node it runs. */
export function startNamed(cluster: TestCluster, handlerOf: (name: NodeId) => Handler): Promise<number> {
  return cluster.start((request, response) => {
    for (const [name, worker] of cluster.workers) {
      if (worker.sockets.has(request.socket)) {
        handlerOf(name)(request, response);
        return;
      }
    }
  });
}
