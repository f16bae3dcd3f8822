import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Session, type SessionMiddleware, session } from '@limpet/session';
import type { Front } from './app-server.ts';

/** What the drill keeps in a session. Prefixed: the app of the user has names of its own. */
interface Kept {
  limpetDrillUser?: string;
  limpetDrillCounter?: number;
  limpetDrillList?: readonly string[];
}

interface Visit {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly query: URLSearchParams;
}

/** A fault or an operation that takes longer than this is no drill any more, in milliseconds. */
const msMax = 120_000;

/**
 * Puts the operations that a failure drill knows in front of the app, under a path that only the drill can guess, in the app's own process
 * and with the product's own `session()`. Only there when the supervisor's welcome brings its token; every
 * other request goes its usual way.
 */
export class DrillDoor implements Front {
  readonly #front: Front;
  readonly #prefix: string;
  readonly #address: string;
  readonly #withSession: SessionMiddleware = session();

  /** `address`: which incarnation answers, told in every answer. */
  constructor(front: Front, token: string, address: string) {
    this.#front = front;
    this.#prefix = `/${token}/`;
    this.#address = address;
  }

  connection(socket: Socket, port: number): void {
    this.#front.connection(socket, port);
  }

  request(req: IncomingMessage, res: ServerResponse, proceed: () => void): void {
    this.#front.request(req, res, req.url?.startsWith(this.#prefix) ? () => this.#visit(req, res) : proceed);
  }

  upgrade(req: IncomingMessage, socket: Duplex, proceed: () => void): void {
    this.#front.upgrade(req, socket, proceed);
  }

  #visit(req: IncomingMessage, res: ServerResponse): void {
    req.resume();
    const url = new URL(req.url ?? '/', 'http://localhost');
    const visit: Visit = { req, res, query: url.searchParams };
    const [name = ''] = url.pathname.slice(this.#prefix.length).split('/');
    const fault = faults[`${req.method} ${name}`];
    if (fault !== undefined) {
      fault(visit.query);
      // An answer that leaves before the end of its process would let another request be taken for the culprit.
      if (name === 'block') this.#answer(res, null);
      return;
    }
    const operation = operations[`${req.method} ${name}`];
    if (operation === undefined) {
      res.writeHead(404, { 'content-length': 0 });
      res.end();
      return;
    }
    this.#withSession(req, res, (error) => {
      if (error) return this.#fail(res);
      operation(visit).then(
        (shown) => this.#answer(res, shown),
        () => this.#fail(res),
      );
    });
  }

  #answer(res: ServerResponse, shown: object | null): void {
    const text = JSON.stringify({ shown, by: this.#address });
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    res.end(text);
  }

  #fail(res: ServerResponse): void {
    if (!res.headersSent) res.writeHead(500, { 'content-length': 0 });
    res.end();
  }
}

/** What the middleware has put there; the public type of a request is declared by the published package only. */
const sessionOf = (req: IncomingMessage): Session & Kept =>
  (req as IncomingMessage & { readonly session: Session & Kept }).session;

/** The session as it is now; null: nobody has signed in. */
function show(kept: Kept): object | null {
  const { limpetDrillUser: user, limpetDrillCounter: counter = 0, limpetDrillList: list = [] } = kept;
  return user === undefined ? null : { user, counter, list };
}

const spanOf = (query: URLSearchParams): number => Math.min(msMax, Math.max(0, Number(query.get('ms') ?? 0)));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Reads and changes the session in one step, half of the given time after the request came and half before it is
 * answered: what it has changed is unfinished for that long, and others of the session may meet it.
 */
async function changeSlowly({ req, query }: Visit, change: (kept: Kept) => void): Promise<object | null> {
  const ms = spanOf(query) / 2;
  if (ms > 0) await sleep(ms);
  const kept = sessionOf(req);
  if (kept.limpetDrillUser === undefined) return null;
  change(kept);
  const shown = show(kept);
  if (ms > 0) await sleep(ms);
  return shown;
}

const operations: Readonly<Record<string, (visit: Visit) => Promise<object | null>>> = {
  'POST login': async ({ req, query }) => {
    await sessionOf(req).regenerate();
    const kept = sessionOf(req);
    kept.limpetDrillUser = query.get('user') ?? '';
    kept.limpetDrillCounter = 0;
    kept.limpetDrillList = [];
    return show(kept);
  },
  'POST add': (visit) =>
    changeSlowly(visit, (kept) => {
      kept.limpetDrillCounter = (kept.limpetDrillCounter ?? 0) + 1;
    }),
  'POST append': (visit) =>
    changeSlowly(visit, (kept) => {
      kept.limpetDrillList = [...(kept.limpetDrillList ?? []), visit.query.get('value') ?? ''];
    }),
  'GET read': async ({ req }) => show(sessionOf(req)),
  'POST logout': async ({ req }) => {
    const shown = show(sessionOf(req));
    await sessionOf(req).destroy();
    return shown;
  },
};

/** What a bad page does to its process. */
const faults: Readonly<Record<string, (query: URLSearchParams) => void>> = {
  'GET block': (query) => {
    const until = performance.now() + spanOf(query);
    while (performance.now() < until);
  },
  'GET exit': () => process.exit(1),
  'GET abort': () => process.abort(),
  'GET throw': () => {
    setImmediate(() => {
      throw new Error('thrown by a drill');
    });
  },
  // Until V8 gives up and ends the process.
  'GET memory': () => {
    const hoard: unknown[] = [];
    for (;;) hoard.push(new Array(1 << 20).fill(hoard.length));
  },
};
