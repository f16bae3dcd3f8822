import type { Server } from 'node:http';
import type { Admission } from './admission.ts';
import type { DoorPath } from './app-door.ts';
import type { Running } from './running.ts';
import type { WebSockets } from './websockets.ts';

/** An app that has something to do at its end gets so long for it, whatever its requests have used up. */
const signalMsMin = 1_000;
/** A request that a balancer has sent before it knew of the stop is in a socket here, unread, and must find its 421. */
const onTheirWayMs = 50;

/** The end of a worker in good order. */
export class Stopper {
  readonly #door: DoorPath;
  readonly #running: Running;
  readonly #webSockets: WebSockets;
  #admission: Admission | null = null;
  #server: Server | null = null;
  #stopping = false;
  #graceMs = 0;
  readonly #own = (): void => this.#signalled();
  #isSupervised: () => boolean = () => true;
  #saveSessions: () => Promise<void> = async () => {};

  constructor(door: DoorPath, running: Running, webSockets: WebSockets) {
    this.#door = door;
    this.#running = running;
    this.#webSockets = webSockets;
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  serves(server: Server): void {
    this.#server = server;
  }

  /**
   * SIGTERM and SIGINT from outside do nothing while there is a supervisor: a service manager signals every process of a
   * cluster, and workers that went at once would take the requests with them that the supervisor is about to drain. Without a supervisor they stop the worker.
   * The app's own listeners for a signal run as the app wrote them.
   */
  watch(admission: Admission, isSupervised: () => boolean, graceMs: number, saveSessions: () => Promise<void>): void {
    this.#admission = admission;
    this.#isSupervised = isSupervised;
    this.#graceMs = graceMs;
    this.#saveSessions = saveSessions;
    process.on('SIGTERM', this.#own);
    process.on('SIGINT', this.#own);
  }

  #signalled(): void {
    if (!this.#isSupervised()) void this.stopAlone(this.#graceMs);
  }

  /** The same where no supervisor sees to the sessions: the cluster ends, as far as anyone here knows, and they are saved. */
  stopAlone(graceMs: number): Promise<void> {
    return this.stop(graceMs, { last: this.#saveSessions });
  }

  /**
   * Takes nothing new, lets running requests end for at most `graceMs` and closes WebSockets over `spreadMs` of it, does
   * `last`, then ends the process: by the app's own SIGTERM listeners where it has some (that is how it would be told
   * without Limpet), and with exit code 0.
   */
  async stop(
    graceMs: number,
    { spreadMs = 0, last }: { readonly spreadMs?: number; readonly last?: () => Promise<void> } = {},
  ): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const endsAt = performance.now() + graceMs;
    this.#admission?.stop();
    this.#door.shut();
    const webSocketsClosed = Promise.race([this.#webSockets.closeAll(spreadMs), after(graceMs)]);
    await after(Math.min(onTheirWayMs, graceMs));
    this.#server?.closeIdleConnections();
    await this.#running.idle(endsAt - performance.now());
    await webSocketsClosed;
    await last?.();
    this.#server?.closeIdleConnections();
    process.removeListener('SIGTERM', this.#own);
    if (process.listenerCount('SIGTERM') === 0) process.exit(0);
    // Referenced: it ends the process even when the app's listener closes everything and forgets to exit.
    setTimeout(() => process.exit(0), Math.max(signalMsMin, endsAt - performance.now()));
    process.emit('SIGTERM', 'SIGTERM');
  }
}

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
