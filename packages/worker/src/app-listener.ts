import { type EventEmitter, errorMonitor } from 'node:events';
import { Server as HttpServer } from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import { askedAddress, presentAddress } from './app-addresses.ts';
import { type DoorPath, nativeListen, openServer } from './app-door.ts';
import { type Front, pinTimeouts, standInFront } from './app-server.ts';
import type { Asked } from './listen-arguments.ts';

type AskedPort = Extract<Asked, { kind: 'port' }>;

/** A server that is, or may become, the app's. */
interface Seat {
  readonly server: HttpServer;
  readonly asked: AddressInfo;
  /** Listens on this private path; null: on a TCP port that Node chose, as it asked. */
  privatePath: string | null;
  /** Feeds it from the node's socket when it has a TCP port of its own. */
  feeder: Server | null;
}

export interface AppListenerOptions {
  readonly door: DoorPath;
  readonly front: Front;
  /** The public port, null when the environment names none. */
  readonly port: number | null;
  /** How long after a server listens another one may still ask for the public port and be the app's instead. */
  readonly graceMs: number;
  /** The app's server listens on the node's socket. May be told again when a better one comes. */
  readonly chosen: (server: HttpServer) => void;
  /** A port of the app is somewhere else: one line for people. */
  readonly note: (text: string) => void;
}

/**
 * Decides which server of the app is the one that the balancer reaches: the `http.Server` that asks for the public port,
 * else the first that asks for a port other than 0, else (only when no other ever asked) the first that asks for port 0.
 * Nobody can know at the first `listen` whether a better one follows, so every candidate listens on a private path at
 * once, synchronously as Node does, and the choice is made by `graceMs` later, or at once for the public port.
 * A choice by grace is taken back when the public port is asked for after all: an app may open its metrics first and wait for its database.
 */
export class AppListener {
  readonly #options: AppListenerOptions;
  readonly #candidates = new Set<Seat>();
  readonly #lastResort = new Set<Seat>();
  readonly #direct = new WeakSet<Socket>();
  readonly #fed = new WeakSet<Socket>();
  #app: Seat | null = null;

  constructor(options: AppListenerOptions) {
    this.#options = options;
  }

  /** Called in the place of `net.Server.listen` for every request of a TCP port. */
  listen(server: Server, asked: AskedPort, args: readonly unknown[]): void {
    if (asked.port === 0) {
      Reflect.apply(nativeListen, server, args);
      if (server instanceof HttpServer) this.#resort(server, asked);
    } else if (!(server instanceof HttpServer)) this.#move(server, asked);
    else if (this.#sameAsAnother(asked.port)) this.#hide(server, asked);
    else if (this.#app !== null && asked.port !== this.#options.port) this.#move(server, asked);
    else this.#stand(server, asked);
  }

  /** A second server on the port of a candidate: Fastify opens one each for ::1 and 127.0.0.1. The first gets all requests. */
  #sameAsAnother(port: number): boolean {
    return this.#app?.asked.port === port || [...this.#candidates].some((seat) => seat.asked.port === port);
  }

  #hide(server: HttpServer, asked: AskedPort): void {
    this.#listenPrivately(server, asked, () => {});
  }

  #stand(server: HttpServer, asked: AskedPort): void {
    const address = askedAddress(asked.host, asked.port);
    const seat: Seat = { server, asked: address, privatePath: null, feeder: null };
    this.#candidates.add(seat);
    server.once('close', () => this.#leave(seat));
    standInFront(server, this.#options.front, asked.port, (socket) =>
      this.#direct.has(socket) ? 'direct' : 'balancer',
    );
    this.#listenPrivately(server, asked, (path) => {
      seat.privatePath = path;
      if (asked.port === this.#options.port) this.#choose(seat);
      else this.#later(() => this.#chooseFirst(), this.#options.graceMs);
    });
  }

  #resort(server: HttpServer, asked: AskedPort): void {
    const seat: Seat = { server, asked: askedAddress(asked.host, 0), privatePath: null, feeder: null };
    this.#lastResort.add(seat);
    server.once('close', () => this.#leave(seat));
    // Twice the time: a server with a port of its own goes before it.
    server.once('listening', () => this.#later(() => this.#chooseLastResort(), 2 * this.#options.graceMs));
  }

  #later(act: () => void, ms: number): void {
    setTimeout(act, ms).unref();
  }

  #chooseFirst(): void {
    if (this.#app !== null) return;
    for (const seat of this.#candidates)
      if (seat.privatePath !== null) {
        this.#choose(seat);
        return;
      }
  }

  #choose(seat: Seat): void {
    const { door, chosen } = this.#options;
    const before = this.#app;
    this.#app = seat;
    this.#candidates.delete(seat);
    pinTimeouts(seat.server);
    if (seat.privatePath !== null) door.publish(seat.privatePath);
    const exposed = [...this.#candidates].map((other) => this.#expose(other));
    this.#candidates.clear();
    if (before !== null) exposed.push(this.#expose(before));
    void Promise.all(exposed).then(() => chosen(seat.server));
  }

  /** The only server of the app asked for any port at all: it keeps that, refuses connections there, and is fed from the node's socket. */
  #chooseLastResort(): void {
    const [seat] = this.#lastResort;
    if (seat === undefined || this.#app !== null || this.#candidates.size > 0) return;
    this.#lastResort.delete(seat);
    const path = this.#options.door.makePrivate();
    const address = seat.server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    standInFront(seat.server, this.#options.front, port, (socket) => {
      if (this.#fed.has(socket)) return 'balancer';
      // A way past the balancer, and past admission, is no way in.
      return this.#app === seat ? 'refused' : 'direct';
    });
    const feed = (socket: Socket): void => {
      this.#fed.add(socket);
      seat.server.emit('connection', socket);
    };
    openServer({ path }, feed).then(
      (feeder) => {
        if (this.#app !== null || !seat.server.listening) return feeder.close();
        seat.feeder = feeder;
        seat.privatePath = path;
        return this.#choose(seat);
      },
      (error: Error) => this.#options.note(`the socket ${path} cannot be opened: ${error.message}`),
    );
  }

  /** Not the app's server after all: it is reached on a free loopback port. */
  async #expose(seat: Seat): Promise<void> {
    seat.feeder?.close();
    if (seat.asked.port === 0) return;
    try {
      const forwarder = await openServer({ port: 0, host: '127.0.0.1' }, (socket) => {
        this.#direct.add(socket);
        seat.server.emit('connection', socket);
      });
      const address = forwarder.address() as AddressInfo;
      presentAddress(seat.server, address);
      if (seat.server.listening) seat.server.once('close', () => forwarder.close());
      else forwarder.close();
      seat.server.closeIdleConnections();
      this.#noteMoved(seat.asked.port, address.port);
    } catch (error) {
      this.#options.note(`port ${seat.asked.port} of the app has no port here: ${String(error)}`);
    }
  }

  #move(server: Server, asked: AskedPort): void {
    server.once('listening', () => this.#noteMoved(asked.port, (server.address() as AddressInfo).port));
    const { backlog, signal } = asked;
    const where = { port: 0, host: '127.0.0.1', ...(backlog && { backlog }), ...(signal && { signal }) };
    Reflect.apply(nativeListen, server, [where, ...(asked.callback ? [asked.callback] : [])]);
  }

  #noteMoved(asked: number, port: number): void {
    this.#options.note(`port ${asked} of the app is 127.0.0.1:${port} in this worker`);
  }

  #listenPrivately(server: HttpServer, asked: AskedPort, listens: (path: string) => void): void {
    const path = this.#options.door.makePrivate();
    presentAddress(server, askedAddress(asked.host, asked.port));
    // Before the app's own listener: when that runs, the door is open.
    const onListening = (): void => listens(path);
    server.prependOnceListener('listening', onListening);
    // A monitor, not a listener: an error that nobody handles must still end the app.
    (server as EventEmitter).once(errorMonitor, () => server.removeListener('listening', onListening));
    const { backlog, signal } = asked;
    const where = { path, ...(backlog && { backlog }), ...(signal && { signal }) };
    Reflect.apply(nativeListen, server, [where, ...(asked.callback ? [asked.callback] : [])]);
  }

  #leave(seat: Seat): void {
    this.#candidates.delete(seat);
    this.#lastResort.delete(seat);
    seat.feeder?.close();
    if (this.#app === seat) this.#app = null;
  }
}
