import { LimpetError } from '@limpet/core';
import type { Cluster, ClusterEvent } from '@limpet/supervisor';
import type { ClusterLog } from './cluster-log.ts';
import type { ExitCode } from './command.ts';
import { formatReason } from './format-death.ts';
import { hasTerminal, SignalRules } from './signals.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface ClusterCalls {
  /** The app's file, for the error that no node runs it. */
  readonly app: string;
  /** An abort before the cluster is ready ends what has been started and rejects. */
  start(onEvent: (event: ClusterEvent) => void, signal: AbortSignal): Promise<Cluster>;
}

/** Starts a cluster and stays with it until it has ended; signals are turned into what they ask for. */
export async function runCluster(calls: ClusterCalls, log: ClusterLog): Promise<ExitCode> {
  const run = new ClusterLife(calls, log);
  const rules = new SignalRules(hasTerminal());
  for (const signal of signals) {
    process.on(signal, () => {
      const wish = rules.step(signal, performance.now());
      if (wish.kind === 'drain') run.drain();
      else if (wish.kind === 'end') run.endAtOnce();
      else if (wish.why !== null) log.note(wish.why);
    });
  }
  try {
    return await run.live();
  } catch (error) {
    if (!(error instanceof LimpetError)) throw error;
    log.fail(error);
    return 1;
  } finally {
    await log.flush();
  }
}

class ClusterLife {
  readonly #calls: ClusterCalls;
  readonly #log: ClusterLog;
  readonly #ended: Promise<void>;
  readonly #starting = new AbortController();
  #resolveEnded: () => void = () => {};
  #cluster: Cluster | null = null;
  #isStopping = false;
  #code: ExitCode = 0;
  #failure: LimpetError | null = null;

  constructor(calls: ClusterCalls, log: ClusterLog) {
    this.#calls = calls;
    this.#log = log;
    this.#ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  /** Resolves with the exit code when the cluster has ended, whoever asked for it; rejects when it cannot start. */
  async live(): Promise<ExitCode> {
    const starting = this.#calls
      .start((event) => this.#see(event), this.#starting.signal)
      .then(
        (cluster) => this.#take(cluster),
        (error: unknown) => {
          if (this.#isStopping) this.#resolveEnded();
          else throw this.#failure ?? error;
        },
      );
    await starting;
    await this.#ended;
    if (this.#failure !== null) throw this.#failure;
    return this.#code;
  }

  drain(): void {
    this.#isStopping = true;
    if (this.#cluster === null) this.#starting.abort();
    else void this.#cluster.stop();
  }

  endAtOnce(): void {
    this.#code = 130;
    this.#isStopping = true;
    this.#starting.abort();
    void this.#cluster?.abort();
  }

  #take(cluster: Cluster): void {
    this.#cluster = cluster;
    if (this.#isStopping) void cluster.stop();
  }

  #see(event: ClusterEvent): void {
    this.#log.event(event);
    if (event.kind === 'all-failed') {
      const reason = formatReason(event.reason);
      this.#failure = new LimpetError('LIMPET_ALL_NODES_FAILED', { app: this.#calls.app, reason });
      void this.#cluster?.stop();
    }
    if (event.kind === 'stopped') this.#resolveEnded();
  }
}
