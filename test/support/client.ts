import { Agent, request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** What Limpet says when it answered itself: `not-executed`, `unknown`, `executed`, `gone`; else null. */
  readonly outcome: string | null;
  json<T = { [key: string]: unknown }>(): T;
}

export interface RequestOptions {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
  readonly timeoutMs?: number;
  readonly agent?: Agent;
}

const sharedAgent = new Agent({ keepAlive: true, maxSockets: 256 });

/** One request, whole answer. Rejects only when the connection fails or the time is over. */
export function fetchOnce(url: string | URL, options: RequestOptions = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body, timeoutMs = 20_000, agent = sharedAgent } = options;
  return new Promise((resolve, reject) => {
    const framing = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const outgoing = httpRequest(url, { method, agent, headers: { ...framing, ...headers } }, (incoming) => {
      const pieces: Buffer[] = [];
      incoming.on('data', (piece: Buffer) => pieces.push(piece));
      incoming.once('error', reject);
      incoming.once('close', () => {
        if (!incoming.complete) reject(new Error(`${method} ${url}: cut after ${Buffer.concat(pieces).length} bytes`));
        const text = Buffer.concat(pieces).toString();
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          body: text,
          outcome: [incoming.headers['limpet-outcome'] ?? null].flat()[0] ?? null,
          json: () => JSON.parse(text),
        });
      });
    });
    outgoing.setTimeout(timeoutMs, () => outgoing.destroy(new Error(`${method} ${url}: silent for ${timeoutMs} ms`)));
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

/** One browser: a cookie jar, connections that stay open. */
export class Client {
  readonly url: string;
  readonly cookies = new Map<string, string>();
  readonly #agent: Agent;

  constructor(url: string) {
    this.url = url;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 100 });
  }

  get cookieHeader(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  async send(path: string, options: RequestOptions = {}): Promise<Answer> {
    const cookie = this.cookieHeader;
    const headers = { ...(cookie ? { cookie } : {}), ...options.headers };
    const answer = await fetchOnce(new URL(path, this.url), { agent: this.#agent, ...options, headers });
    for (const line of answer.headers['set-cookie'] ?? []) this.#take(line);
    return answer;
  }

  get(path: string, options: RequestOptions = {}): Promise<Answer> {
    return this.send(path, options);
  }

  post(path: string, body: string | Buffer = '', options: RequestOptions = {}): Promise<Answer> {
    return this.send(path, { ...options, method: 'POST', body });
  }

  close(): void {
    this.#agent.destroy();
  }

  #take(line: string): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
    const at = pair.indexOf('=');
    const name = pair.slice(0, at);
    const value = pair.slice(at + 1);
    const ends = attributes.some((attribute) => /^max-age=0$|^expires=thu, 01 jan 1970/i.test(attribute));
    if (value === '' || ends) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}
