import { type Death, LimpetError, type View } from '@limpet/core';
import { type Admin, openAdmin, urlOf } from './admin.ts';
import { Balancers } from './balancers.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterParts } from './cluster-parts.ts';
import type { Control } from './control.ts';
import { keepCrashLog } from './crash-log.ts';
import { DeathReports } from './deaths.ts';
import type { ClusterEvent, DeathReport } from './events.ts';
import { Health } from './health.ts';
import { KeptSessions } from './kept-sessions.ts';
import { Kills } from './kills.ts';
import type { Left } from './left-processes.ts';
import { Losses } from './losses.ts';
import { Operations } from './operations.ts';
import { removeTraces } from './orphans.ts';
import type { Places } from './places.ts';
import type { Port } from './port.ts';
import { bootId, startTimeOf } from './proc.ts';
import { Progress } from './progress.ts';
import { type Recorded, recordOptions, writeOptions } from './recorded-options.ts';
import { Reports } from './reports.ts';
import type { Entrant } from './restore.ts';
import { removeSocketsFolder, writeClusterFile } from './run-directory.ts';
import type { Slot } from './slot.ts';
import { copiesOf, describeCluster, type Status } from './status.ts';
import { balancerGraceMs, holderGraceMs, killProcesses, stopProcesses, workerGraceMs } from './stop.ts';
import { takeIn } from './take-in.ts';
import { type Takeover, takeOver } from './takeover.ts';
import { ViewLoop } from './view-loop.ts';
import { type Corpse, Workers } from './workers.ts';

/** One life of a cluster: joins the parts; what each decides stands in the parts. */
export class ClusterRun implements Cluster {
  readonly #parts: ClusterParts;
  readonly #places: Places;
  readonly #control: Control;
  readonly #port: Port;
  readonly #loop: ViewLoop;
  readonly #workers: Workers;
  readonly #health: Health;
  readonly #balancers: Balancers;
  readonly #kept: KeptSessions;
  readonly operations: Operations;
  readonly #deaths: DeathReports;
  readonly #losses: Losses;
  readonly #kills = new Kills();
  readonly #progress = new Progress(() => this.#workers.slots);
  #admin: Admin | null = null;
  #phase: 'starting' | 'ready' | 'failed' | 'stopping' = 'starting';
  #started: { resolve(): void; reject(error: Error): void } | null = null;
  #stopping: Promise<void> | null = null;
  #resolveStopped: () => void = () => {};
  #dropCrashLog: () => void = () => {};
  readonly stopped: Promise<void>;

  constructor(parts: ClusterParts) {
    this.#parts = parts;
    const { options, keys, run } = parts;
    const emit = (event: ClusterEvent) => this.#emit(event);
    this.#control = parts.control;
    this.#port = parts.port;
    this.#places = parts.places;
    this.stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
    this.#deaths = new DeathReports((report) => this.#reported(report));
    this.#workers = new Workers(this.#places, {
      emit,
      ready: ({ id: node }, { incarnation }) => this.#kept.ready({ node, incarnation }),
      died: (corpse) => this.#died(corpse),
      left: ({ id: node }, { incarnation }) => {
        this.#kept.died({ node, incarnation });
        for (const part of [this.#health, this.#loop]) part.step({ kind: 'left', node, incarnation });
      },
      wants: ({ id }) => this.operations.wants(id),
      ended: (slot) => this.operations.ended(slot),
      givenUp: (slot, reason) => this.#givenUp(slot, reason),
    });
    const { hangKillMs } = options;
    this.#health = new Health({ hangKillMs, workers: this.#workers, control: this.#control, emit });
    this.#balancers = new Balancers(this.#places, this.#port, {
      emit,
      ready: () => this.#checkReady(),
      failed: (slot, reason) => this.#balancerFailed(slot.name, slot.complaint?.code ?? '', reason),
    });
    this.#kept = new KeptSessions({
      isOn: options.keepSessions,
      run,
      files: parts.saved,
      wanted: this.#workers.slots.map(({ id }) => id),
      copies: copiesOf(options),
      keyId: keys.keyId,
      control: this.#control,
      emit,
      start: (nodes) => this.#enter(nodes, 'start'),
      join: (node) => this.#enter([node], 'ready'),
      kill: ({ node, incarnation }) => this.#workers.lifeOf(node, incarnation)?.life.running.kill('SIGKILL'),
    });
    const wanted = this.#workers.slots.map(({ id }) => id);
    this.#loop = new ViewLoop({ copies: copiesOf(options), keyId: keys.keyId, wanted }, parts.views, this.#control, {
      published: (view, before, deaths, diskMs) => this.#published(view, before, deaths, diskMs),
      whole: (view) => {
        this.#losses.whole(view);
        if (this.#loop.settled) this.#progress.settled();
        this.operations.advance();
      },
      drained: (node, incarnation) => this.operations.drained(node, incarnation),
      refused: (node) => this.operations.refused(node),
      trouble: this.#places.trouble,
      unusable: (why) => {
        this.#kept.leave();
        this.#fail(new LimpetError('LIMPET_RUN_DIRECTORY', { dir: run.path, why }));
      },
    });
    this.operations = new Operations({
      wishes: parts.wishes,
      path: run.wishes,
      workers: this.#workers,
      loop: this.#loop,
      control: this.#control,
      drainMs: options.drainMs,
      emit,
      trouble: this.#places.trouble,
    });
    this.#losses = new Losses({
      loop: this.#loop,
      control: this.#control,
      deaths: this.#deaths,
      hasCopies: copiesOf(options) > 1,
    });
  }

  get url(): string {
    const { host, tls } = this.#parts.options;
    return urlOf(host, this.#port.number, tls.length > 0 ? 'https' : 'http');
  }

  get adminUrl(): string {
    return this.#admin?.url ?? '';
  }

  /**
   * Resolves when requests are served, or it was stopped before. Rejects when they never will be: with nothing left, or
   * with everything as an earlier supervisor has left it.
   */
  async start(signal: AbortSignal | undefined): Promise<void> {
    const { options, keys, adoption } = this.#parts;
    let isTaken = adoption === null;
    this.#dropCrashLog = keepCrashLog(this.#places.logOf('supervisor'));
    try {
      signal?.throwIfAborted();
      this.#emit({ kind: 'starting', nodes: options.nodes, balancers: options.balancers, pid: process.pid });
      this.#kept.begin();
      this.#admin = await openAdmin(options.adminHost, options.adminPort, () => this.status());
      const takeover = adoption === null ? null : await this.#meet(adoption.left);
      signal?.throwIfAborted();
      isTaken = true;
      const reports = new Reports({
        options,
        keys,
        control: this.#control,
        loop: this.#loop,
        workers: this.#workers,
        balancers: this.#balancers,
        port: this.#port,
        deaths: this.#deaths,
        losses: this.#losses,
        health: this.#health,
        kept: this.#kept,
        cluster: this,
        trouble: this.#places.trouble,
      });
      const ready = new Promise<void>((resolve, reject) => {
        this.#started = { resolve, reject };
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
      if (takeover === null) await this.#begin(reports, signal);
      else this.#takeIn(takeover, reports);
      this.#record();
      this.#writeOptions(this.#parts.recorded);
      this.#workers.startAll(this.#port.number);
      this.#balancers.startAll();
      await ready;
    } catch (error) {
      this.#phase = 'failed';
      if (isTaken) await this.abort();
      else await this.#letGo();
      throw error;
    }
  }

  async #begin(reports: Reports, signal: AbortSignal | undefined): Promise<void> {
    this.#loop.begin(this.#parts.term, null);
    await this.#control.open(this.#places.sockets, reports);
    signal?.throwIfAborted();
  }

  #meet(left: Left): Promise<Takeover> {
    const { run, term, views } = this.#parts;
    return takeOver(
      { left, term, views, control: this.#control, places: this.#places },
      () => new LimpetError('LIMPET_OTHER_KEYS', { dir: run.path }),
    );
  }

  #takeIn(takeover: Takeover, reports: Reports): void {
    takeIn(takeover, {
      reports,
      control: this.#control,
      loop: this.#loop,
      workers: this.#workers,
      balancers: this.#balancers,
      port: this.#port,
      health: this.#health,
      losses: this.#losses,
      differences: this.#parts.adoption?.differences ?? [],
      emit: (event) => this.#emit(event),
    });
    this.operations.resume();
    this.#recordWhenRenewed(recordOptions(this.#parts.options, this.#parts.keys));
  }

  /** What differs is forgotten when no worker is left that was started with it. */
  #recordWhenRenewed(recorded: Recorded): void {
    const workers = this.#workers.processes.map(({ running }) => running.ended);
    void Promise.all(workers).then(() => {
      if (this.#phase === 'ready') this.#writeOptions(recorded);
    });
  }

  #writeOptions(recorded: Recorded): void {
    const why = writeOptions(this.#parts.run.options, recorded);
    if (why !== null) this.#places.trouble(why);
  }

  /** Leaves the processes of an earlier supervisor as they are. */
  async #letGo(): Promise<void> {
    this.#health.close();
    this.#loop.close();
    this.#places.close();
    await Promise.all([this.#control.close(), this.#admin?.close()]);
    await this.#parts.lock.release();
    this.#dropCrashLog();
  }

  status(): Status {
    const { options, run, startedAt } = this.#parts;
    return describeCluster({
      options,
      runDir: run.path,
      view: this.#loop.view,
      settled: this.#loop.settled,
      suspicionOf: (node) => this.#health.suspicionOf(node),
      modeOf: (node) => this.operations.modeOf(node),
      restarts: this.operations.restarts,
      moving: this.#progress.get(performance.now()),
      url: this.url,
      adminUrl: this.adminUrl,
      startedAt,
      slots: this.#workers.slots,
      balancers: this.#balancers.slots,
      lastDeaths: this.#deaths.last,
      loss: this.#losses.total,
      unheld: this.#losses.unheld(this.#workers.slots),
    });
  }

  kill(node: string, signal: NodeJS.Signals): Promise<DeathReport> {
    return this.#kills.kill(this.#workers.slots, node, signal);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#end(async () => {
      // Balancers first: what they have in flight still needs the workers.
      await stopProcesses(this.#port.processes, 'holder', this.#control, holderGraceMs);
      await stopProcesses(this.#balancers.processes, 'balancer', this.#control, balancerGraceMs);
      await this.#kept.save(this.#workers.slots);
      await stopProcesses(this.#workers.processes, 'app', this.#control, workerGraceMs);
    });
    return this.#stopping;
  }

  async abort(): Promise<void> {
    const killed = () =>
      killProcesses([...this.#port.processes, ...this.#balancers.processes, ...this.#workers.processes]);
    this.#kept.abort(this.#workers.slots);
    if (this.#stopping !== null) await killed();
    this.#stopping ??= this.#end(killed);
    return this.#stopping;
  }

  async #end(endProcesses: () => Promise<void>): Promise<void> {
    const begin = performance.now();
    const hasFailed = this.#phase === 'failed';
    this.#phase = 'stopping';
    if (!hasFailed) this.#emit({ kind: 'stopping' });
    this.#health.close();
    this.operations.close();
    this.#workers.stopStarting();
    this.#balancers.stopStarting();
    // The balancers hold it still: they take what is in the queue, then close it.
    await this.#port.close();
    await endProcesses();
    this.#deaths.close();
    this.#kills.close();
    this.#loop.close();
    this.#places.close();
    // Whoever asked over the control socket is answered before it goes.
    this.#resolveStopped();
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([this.#control.close(), this.#admin?.close()]);
    removeTraces(this.#parts.run);
    removeSocketsFolder(this.#places.sockets);
    await this.#parts.lock.release();
    this.#dropCrashLog();
    if (!hasFailed) this.#emit({ kind: 'stopped', ms: Math.round(performance.now() - begin) });
    this.#started?.resolve();
    this.#started = null;
  }

  #enter(nodes: readonly Entrant[], how: 'start' | 'ready'): void {
    const candidates = nodes.map((node) => ({ ...node, weight: 1 }));
    for (const candidate of candidates) this.#health.step({ kind: 'ready', ...candidate });
    if (how === 'start') this.#loop.step({ kind: 'start', nodes: candidates });
    else for (const candidate of candidates) this.#loop.step({ kind: 'ready', ...candidate });
  }

  #died(corpse: Corpse): void {
    this.#kept.died(corpse.death);
    // Once the balancers have ended nobody asks any more: no view, no copies made for the last seconds.
    if (this.#phase === 'stopping' && this.#balancers.processes.length === 0) return;
    this.#health.step({ kind: 'died', death: corpse.death });
    const report = this.#losses.died(corpse);
    if (report === null) this.#kills.gone(corpse.death);
    else if (this.#phase !== 'stopping') this.#emit({ kind: 'died', report });
  }

  #published(view: View, before: View | null, deaths: readonly Death[], diskMs: number): void {
    this.#kept.published();
    if (deaths.length > 0) this.#losses.published(view, diskMs);
    this.#progress.published(view, performance.now());
    this.#health.step({ kind: 'view', view });
    for (const id of view.ring) {
      const incarnation = view.members[id]?.incarnation ?? 0;
      if (before?.ring.includes(id) && before.members[id]?.incarnation === incarnation) continue;
      this.#emit({ kind: 'node-joined', node: id, incarnation, view: { term: view.term, number: view.number } });
      this.#deaths.joined(id, incarnation);
    }
    this.#checkReady();
  }

  #reported(report: DeathReport): void {
    this.#kills.reported(report);
    if (this.#phase !== 'stopping') this.#emit({ kind: 'death', report });
  }

  #givenUp(slot: Slot, reason: string): void {
    this.#deaths.silent(slot.id, true);
    this.#kept.givenUp(slot.id);
    this.#loop.step({ kind: 'givenUp', node: slot.id });
    if (!this.#workers.slots.every(({ givenUp }) => givenUp)) return;
    this.#emit({ kind: 'all-failed', reason });
    this.#fail(new LimpetError('LIMPET_ALL_NODES_FAILED', { app: this.#parts.options.app.file, reason }));
  }

  #balancerFailed(name: string, code: string, reason: string): void {
    const { host } = this.#parts.options;
    const port = this.#port.number;
    if (code === 'EADDRINUSE') this.#fail(new LimpetError('LIMPET_PORT_IN_USE', { host, port, option: '--port' }));
    else this.#fail(new LimpetError('LIMPET_BALANCER_FAILED', { name, reason, log: this.#places.logOf(name) }));
  }

  #fail(error: LimpetError): void {
    this.#started?.reject(error);
    this.#started = null;
  }

  #checkReady(): void {
    const ring = this.#loop.view?.ring ?? [];
    if (this.#phase !== 'starting' || this.#started === null || ring.length === 0 || !this.#balancers.allReady) return;
    this.#phase = 'ready';
    this.#record();
    const ms = Math.round(performance.now() - this.#parts.startedAt);
    this.#emit({ kind: 'ready', ms, url: this.url, adminUrl: this.adminUrl, nodes: ring });
    this.#started.resolve();
    this.#started = null;
  }

  #record(): void {
    const { pid } = process;
    const { url, adminUrl } = this;
    const { run, sockets } = this.#places;
    writeClusterFile(run, { pid, startTime: startTimeOf(pid), boot: bootId(), sockets, url, adminUrl });
  }

  #emit(event: ClusterEvent): void {
    this.#parts.onEvent(event);
  }
}
