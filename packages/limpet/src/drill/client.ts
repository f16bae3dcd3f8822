import { Agent, type IncomingMessage, request } from 'node:http';

/** How one exchange with the cluster ended, as any HTTP client sees it. */
export type Reply =
  | {
      readonly kind: 'answer';
      readonly status: number;
      /** The value of `Limpet-Outcome`, null when the app answered. */
      readonly outcome: string | null;
      readonly text: string;
      /** `name=value` of the first cookie that was set. */
      readonly cookie: string | null;
    }
  /** Nobody listened: nothing was sent. */
  | { readonly kind: 'refused' }
  /** The connection ended before the answer was complete. */
  | { readonly kind: 'cut' }
  | { readonly kind: 'late' };

export interface Asked {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly cookie: string | null;
  readonly key?: string;
}

/** Above the 10 s that Limpet itself may add to a request by default. */
const answerMs = 30_000;

/** A client with connections that stay open, as a browser's do. */
export class Client {
  readonly #agent: Agent;
  readonly #host: string;
  readonly #port: number;

  constructor(url: string, connections: number) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, scheduling: 'fifo' });
  }

  /** Never rejects. */
  ask({ method, path, cookie, key }: Asked): Promise<Reply> {
    return new Promise((resolve) => {
      const headers: Record<string, string> = { accept: 'application/json' };
      if (cookie !== null) headers.cookie = cookie;
      if (key !== undefined) headers['idempotency-key'] = `"${key}"`;
      if (method === 'POST') headers['content-length'] = '0';
      const outgoing = request(
        { host: this.#host, port: this.#port, method, path, headers, agent: this.#agent, timeout: answerMs },
        (incoming) => readAnswer(incoming, resolve),
      );
      let isLate = false;
      outgoing.once('timeout', () => {
        isLate = true;
        outgoing.destroy();
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        resolve({ kind: isLate ? 'late' : error.code === 'ECONNREFUSED' ? 'refused' : 'cut' });
      });
      outgoing.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function readAnswer(incoming: IncomingMessage, resolve: (reply: Reply) => void): void {
  let text = '';
  incoming.setEncoding('utf8');
  incoming.on('data', (piece: string) => {
    text += piece;
  });
  incoming.once('error', () => resolve({ kind: 'cut' }));
  incoming.once('close', () => resolve({ kind: 'cut' }));
  incoming.once('end', () => {
    const outcome = incoming.headers['limpet-outcome'];
    resolve({
      kind: 'answer',
      status: incoming.statusCode ?? 0,
      outcome: typeof outcome === 'string' ? outcome : null,
      text,
      cookie: incoming.headers['set-cookie']?.[0]?.split(';', 1)[0] ?? null,
    });
  });
}
