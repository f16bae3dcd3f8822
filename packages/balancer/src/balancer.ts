import { type AddressInfo, type ListenOptions, Server as NetServer } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { type CertificateFiles, type FromSupervisor, Suspects, type ToSupervisor, unreachable } from '@limpet/core';
import { dial, type Link, Prover, socketPath, whoOf } from '@limpet/transport';
import { Cluster } from './cluster.ts';
import { SerialLane } from './lane.ts';
import { orphanGraceMs, statsMs } from './limits.ts';
import type { Log } from './log.ts';
import { Orphanage } from './orphanage.ts';
import { probe } from './probe.ts';
import type { Relay } from './relay.ts';
import { createFront, type Server } from './server.ts';
import { spawnSibling } from './spawn.ts';
import { Tls } from './tls.ts';
import { openTunnels } from './upgrade.ts';
import { type Upstream, Upstreams } from './upstreams.ts';

export interface BalancerOptions {
  readonly name: string;
  readonly incarnation: number;
  /** The folder of the cluster's sockets. */
  readonly sockets: string;
  readonly version: string;
  /** Where clients connect: in production the descriptor bound by the supervisor. */
  readonly listen: ListenOptions & { readonly fd?: number };
  readonly log: Log;
  /** Called when it has stopped, with the exit code. */
  readonly onEnd: (code: number) => void;
}

/** How long an idle client may take to use its connection once more while stopping, before it is closed. */
const idleGraceMs = 500;
/** A broken connection to a member is told to the supervisor at most this often. */
const resetEveryMs = 5;

/** A balancer: follows the supervisor's views over the control link and serves clients, with or without a supervisor. */
export class Balancer {
  readonly #options: BalancerOptions;
  readonly #cluster: Cluster;
  readonly #upstreams: Upstreams;
  readonly #relay: Relay;
  /** Null before it is known what is spoken to clients. */
  #server: Server | null = null;
  #tls: Tls | null = null;
  readonly #link: Link<FromSupervisor, ToSupervisor>;
  readonly #stats: NodeJS.Timeout;
  readonly #orphanage: Orphanage;
  readonly #prover: Prover;
  #proofKey: Uint8Array | null = null;
  #isStarted = false;
  #isReady = false;
  #isStopping = false;
  #toldInFlight = 0;
  #isBusyDue = false;

  constructor(options: BalancerOptions) {
    this.#options = options;
    this.#upstreams = new Upstreams(options.sockets);
    this.#cluster = new Cluster((view) => {
      this.#upstreams.keepOnly(view);
      // Whoever leaves in this view is told to end only when no balancer sends it anything any more.
      setImmediate(() => this.#tellStats());
    });
    this.#relay = {
      cluster: this.#cluster,
      upstreams: this.#upstreams,
      suspects: new Suspects(),
      lane: new SerialLane(),
      log: options.log,
      reset: (upstream) => this.#tellReset(upstream),
    };
    this.#stats = setInterval(() => this.#tellStats(), statsMs);
    // An orphan keeps serving with the last view for a while; for ever it would hold the port against its successor.
    this.#orphanage = new Orphanage(() => this.stop(orphanGraceMs));
    this.#prover = new Prover(whoOf({ role: 'balancer', ...options }), () => this.#proofKey);
    this.#link = dial<FromSupervisor, ToSupervisor>(socketPath(options.sockets, 'control'), {
      open: () => this.#greet(),
      message: (message) => this.#take(message),
      close: () => this.#orphanage.lost(),
    });
  }

  /** The address clients connect to, once listening. */
  get address(): string | AddressInfo | null {
    return this.#server?.address() ?? null;
  }

  /** Stops accepting, lets what runs finish within `graceMs`, and ends. */
  stop(graceMs: number): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    // Closing the last descriptor resets what the kernel has queued and nobody has accepted. The second turn comes right
    // after a look at the sockets that did not wait for anything: the queue has just been emptied.
    // Not the http server's own close(): it cuts idle connections at once, and a request may be on its way on each.
    const server = this.#server;
    if (server !== null) setImmediate(() => setImmediate(() => NetServer.prototype.close.call(server)));
    const startedAt = performance.now();
    const timer = setInterval(() => {
      const passedMs = performance.now() - startedAt;
      if (passedMs >= Math.min(idleGraceMs, graceMs / 2)) server?.closeIdleConnections();
      const isIdle =
        this.#upstreams.inFlightTotal - openTunnels() <= 0 && passedMs >= Math.min(idleGraceMs, graceMs / 2);
      if (!isIdle && passedMs < graceMs) return;
      clearInterval(timer);
      // Answers handed to the kernel are on their way; what is left are tunnels and clients that read too slowly.
      setTimeout(() => this.#end(0), 20);
    }, 20);
  }

  /** Ends at once. */
  async close(): Promise<void> {
    clearInterval(this.#stats);
    this.#orphanage.end();
    this.#link.close();
    this.#tls?.end();
    this.#server?.close();
    this.#server?.closeAllConnections();
    await this.#upstreams.close();
  }

  #end(code: number): void {
    void this.close().finally(() => this.#options.onEnd(code));
  }

  #greet(): void {
    const { name, incarnation, version } = this.#options;
    this.#tell({
      kind: 'hello',
      role: 'balancer',
      name,
      incarnation,
      pid: process.pid,
      seen: this.#cluster.view,
      settled: this.#cluster.settled,
      nonce: this.#prover.begin(),
      version,
    });
  }

  #take(message: FromSupervisor): void {
    if (message.kind === 'challenge') {
      const proof = this.#prover.answer(message);
      if (proof === null) this.#options.log.error({}, 'a supervisor with other keys was refused');
      this.#tell({ kind: 'proof', proof });
      return;
    }
    if (!this.#prover.isProven) return;
    switch (message.kind) {
      case 'welcome':
        this.#orphanage.found(message.orphanMs);
        this.#proofKey = message.proofKey;
        this.#cluster.welcome(message);
        // A supervisor that came back does not know it.
        if (this.#isReady) this.#tell({ kind: 'ready', notes: [] });
        return;
      case 'spawn':
        spawnSibling(message, (answer) => this.#tell(answer));
        return;
      case 'views':
        this.#cluster.tell(message);
        this.#start();
        return;
      case 'settled':
      case 'suspects':
        this.#cluster.tell(message);
        return;
      case 'probe':
        void this.#probe(message);
        return;
      case 'stop':
        this.stop(message.graceMs);
        return;
      // To commands and to workers.
      case 'answer':
      case 'save':
      case 'restore':
        return;
      default:
        unreachable(message);
    }
  }

  #start(): void {
    const { settings } = this.#cluster;
    if (this.#isStarted || settings === null) return;
    this.#isStarted = true;
    try {
      this.#listen(settings.tls);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** Throws LIMPET_TLS. */
  #listen(certificates: readonly CertificateFiles[]): void {
    const { log, listen } = this.#options;
    const tls = certificates.length === 0 ? null : new Tls(certificates, log);
    const server = createFront(this.#relay, tls);
    this.#tls = tls;
    this.#server = server;
    server.on('request', () => this.#tellBusy());
    server.on('error', (error) => this.#fail(error));
    if (server instanceof TlsServer) tls?.follow(server);
    server.listen(listen, () => {
      this.#isReady = true;
      this.#tell({ kind: 'ready', notes: [] });
    });
  }

  /** Without the listening descriptor, or what to speak on it, there is nothing to serve. */
  #fail(error: NodeJS.ErrnoException): void {
    this.#options.log.error({ err: error }, 'cannot listen');
    this.#tell({ kind: 'failed', code: error.code ?? 'ERROR', message: error.message });
    this.#end(1);
  }

  async #probe(message: Extract<FromSupervisor, { kind: 'probe' }>): Promise<void> {
    const ok = await probe(this.#relay, message.node).catch(() => false);
    this.#tell({ kind: 'probed', sequence: message.sequence, ok });
  }

  #tellReset(upstream: Upstream): void {
    const nowMs = performance.now();
    if (nowMs - upstream.resetToldAt < resetEveryMs) return;
    upstream.resetToldAt = nowMs;
    this.#tell({ kind: 'reset', node: upstream.member.id, incarnation: upstream.member.incarnation });
  }

  /** Tells the first request after a quiet time at once; the rest goes with the clock. */
  #tellBusy(): void {
    if (this.#toldInFlight > 0 || this.#isBusyDue) return;
    this.#isBusyDue = true;
    setImmediate(() => {
      this.#isBusyDue = false;
      this.#tellStats();
    });
  }

  #tellStats(): void {
    const inFlight = this.#upstreams.inFlightTotal;
    this.#toldInFlight = inFlight;
    const view = this.#cluster.view;
    this.#tell({
      kind: 'stats',
      view: view === null ? null : { term: view.term, number: view.number },
      primary: 0,
      buddy: 0,
      unprotected: 0,
      uncopied: 0,
      inFlight,
      promoted: 0,
      bytes: 0,
      unheld: 0,
    });
  }

  #tell(message: ToSupervisor): void {
    this.#link.send(message);
  }
}
