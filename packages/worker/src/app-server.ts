import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * The balancer closes idle connections, the worker never does: a request on its way would meet the closing. 0 also keeps
 * the `Keep-Alive` hint out of responses. Header limits are the balancer's business too: internal headers stand last
 * and would be the first to be cut off.
 */
const pinned = [
  'keepAliveTimeout',
  'timeout',
  'requestTimeout',
  'headersTimeout',
  'maxRequestsPerSocket',
  'maxHeadersCount',
] as const;

export function pinTimeouts(server: Server): void {
  for (const name of pinned) {
    // A setter that does nothing: frameworks set these after `listen`, and in strict code a read-only property would throw.
    Object.defineProperty(server, name, { configurable: true, enumerable: true, get: () => 0, set: () => {} });
  }
}

/**
 * A body never ends by end-of-file: cut by a kill, it would look complete. Node frames every body by itself, unless the
 * app takes the framing header away from it.
 */
export function keepFraming(): void {
  const { removeHeader } = ServerResponse.prototype;
  ServerResponse.prototype.removeHeader = function keeping(this: ServerResponse, name: string): void {
    if (typeof name === 'string' && name.toLowerCase() === 'transfer-encoding') return;
    Reflect.apply(removeHeader, this, [name]);
  };
}

/** What stands in front of the app on its server: told of connections and requests before the app's own listeners. */
export interface Front {
  /** `port`: what the app asked to listen on. */
  connection(socket: Socket, port: number): void;
  /** Calls `proceed` in this step or later, or answers by itself. */
  request(req: IncomingMessage, res: ServerResponse, proceed: () => void): void;
  upgrade(req: IncomingMessage, socket: Duplex, proceed: () => void): void;
}

/** Where a connection of the app's server came from: only the balancer's go through admission. */
export type Origin = 'balancer' | 'direct' | 'refused';

/**
 * Puts `front` before every listener of the server, present and future, by wrapping its `emit`. Listeners that the app
 * adds, removes or replaces later are still behind it.
 */
export function standInFront(server: Server, front: Front, port: number, originOf: (socket: Socket) => Origin): void {
  const emit = server.emit;
  server.emit = function wrapped(this: Server, event: string | symbol, ...args: unknown[]): boolean {
    const proceed = (): boolean => Reflect.apply(emit, this, [event, ...args]);
    switch (event) {
      case 'connection': {
        const socket = args[0] as Socket;
        const origin = originOf(socket);
        if (origin === 'refused') {
          socket.destroy();
          return true;
        }
        if (origin === 'balancer') front.connection(socket, port);
        return proceed();
      }
      case 'request':
      case 'checkContinue':
      case 'checkExpectation': {
        const req = args[0] as IncomingMessage;
        if (originOf(req.socket) !== 'balancer') return proceed();
        front.request(req, args[1] as ServerResponse, proceed);
        return true;
      }
      case 'upgrade': {
        const req = args[0] as IncomingMessage;
        if (originOf(req.socket) !== 'balancer') return proceed();
        front.upgrade(req, args[1] as Duplex, proceed);
        return true;
      }
      default:
        return proceed();
    }
  } as Server['emit'];
}
