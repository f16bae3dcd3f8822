import { connect, type Socket } from 'node:net';
import { type Link, type LinkHandlers, queuedBytesMax, SocketLink } from './link.ts';
import { checkSocketPath } from './socket-path.ts';

/** Pause before the first new attempt, in milliseconds. It doubles with every attempt that fails. */
export const redialMsMin = 5;
/** The longest pause. Higher: less work while the far end is away; lower: it is found again sooner. */
export const redialMsMax = 250;

export interface DialOptions {
  /** Whether a connection that ends or cannot be made is tried again until `close()`. Default true. */
  readonly redial?: boolean;
  /** Default `queuedBytesMax`. */
  readonly queuedBytesMax?: number;
  /** Whether the process may end while the link is open. Default false. */
  readonly unref?: boolean;
}

/**
 * Connects to whoever listens on `path`, now or later: the first attempt is made at once, and `open` tells when it, or
 * any after it, has succeeded. With `redial: false` a failed attempt is told by `close`. Throws LIMPET_SOCKET_PATH.
 */
export function dial<In, Out>(path: string, handlers: LinkHandlers<In>, options: DialOptions = {}): Link<In, Out> {
  checkSocketPath(path);
  return new DialledLink<In, Out>(path, handlers, options);
}

class DialledLink<In, Out> implements Link<In, Out> {
  readonly #path: string;
  readonly #handlers: LinkHandlers<In>;
  readonly #options: DialOptions;
  #connecting: Socket | null = null;
  #link: SocketLink<In, Out> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #pauseMs = redialMsMin;
  #closed = false;

  constructor(path: string, handlers: LinkHandlers<In>, options: DialOptions) {
    this.#path = path;
    this.#handlers = handlers;
    this.#options = options;
    this.#connect();
  }

  get connected(): boolean {
    return this.#link?.connected ?? false;
  }

  get queuedBytes(): number {
    return this.#link?.queuedBytes ?? 0;
  }

  send(message: Out): boolean {
    return this.#link?.send(message) ?? false;
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#connecting?.destroy();
    this.#link?.close();
  }

  #connect(): void {
    this.#timer = null;
    const socket = connect(this.#path);
    this.#connecting = socket;
    if (this.#options.unref) socket.unref();
    let failure: Error | null = null;
    const fail = (error: Error): void => {
      failure = error;
    };
    const end = (): void => {
      this.#connecting = null;
      if (!this.#closed && this.#options.redial === false) this.#handlers.close?.(failure);
      this.#redial();
    };
    socket.once('error', fail);
    socket.once('close', end);
    socket.once('connect', () => {
      socket.off('error', fail);
      socket.off('close', end);
      this.#connecting = null;
      this.#open(socket);
    });
  }

  #open(socket: Socket): void {
    const link = new SocketLink<In, Out>(socket, this.#options.queuedBytesMax ?? queuedBytesMax);
    const openedAt = performance.now();
    this.#link = link;
    link.start({
      open: () => this.#handlers.open?.(),
      message: (message) => this.#handlers.message(message),
      close: (error) => {
        this.#link = null;
        // A far end that accepts and hangs up at once counts as away: else two processes would spin at full speed.
        if (performance.now() - openedAt >= redialMsMax) this.#pauseMs = redialMsMin;
        this.#handlers.close?.(error);
        this.#redial();
      },
    });
  }

  #redial(): void {
    if (this.#closed || this.#options.redial === false) return;
    const timer = setTimeout(() => this.#connect(), this.#pauseMs);
    if (this.#options.unref) timer.unref();
    this.#timer = timer;
    this.#pauseMs = Math.min(2 * this.#pauseMs, redialMsMax);
  }
}
