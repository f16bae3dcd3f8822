import { answerTo, answerWithTarget, type Script } from './recording-upstream.ts';
import { RawClient, type Rig, until } from './rig.ts';
import { type Field, type ReadRequest, readAnswers, readRequests, tokensOf, valuesOf } from './strict-reader.ts';

/**
 * What the balancer may make of any bytes at all: refuse them, so that nothing malformed reaches the worker; or forward
 * exactly the requests that the strict reader sees, in their order. Then a request of someone else arrives unchanged on
 * every connection that is still open to the worker.
 */

/** What became of the bytes. `open`: nothing was answered, and the connection waits for more. */
export interface Outcome {
  readonly served: number;
  readonly refused: number | null;
  readonly isOpen: boolean;
}

const forOneConnection = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect'],
  ...['http2-settings', 'proxy-authenticate', 'proxy-authorization', 'content-length', 'host', 'via'],
]);
const isOurs = (name: string): boolean => /^(?:limpet-|x-forwarded-|forwarded$|x-real-ip$)/.test(name);
/** Names that mean the same to an app that turns hyphens into underscores. */
const disguised = new RegExp(
  `^(?:limpet-.*|x-forwarded-.*|forwarded|x-real-ip|authorization|cache-control|content-(?:encoding|length|type)|cookie|host|idempotency-key|if-(?:none-)?match|max-forwards|origin|range|referer|sec-fetch-site|via|${[...forOneConnection].join('|')})$`,
);

/** The fields that the worker must get for this request, without those of the attempt and of the body. */
function expectedFields(request: ReadRequest, host: string): readonly Field[] {
  const named = new Set(tokensOf(request.fields, 'connection'));
  const cookies = valuesOf(request.fields, 'cookie')
    .join('; ')
    .replace(/^ +| +$/g, '');
  const kept: Field[] = [];
  let hasCookie = false;
  for (const [name, value] of request.fields) {
    const lower = name.toLowerCase();
    const isCookie = lower === 'cookie';
    if (forOneConnection.has(lower) || named.has(lower) || isOurs(lower) || (isCookie && hasCookie)) continue;
    if (lower.includes('_') && disguised.test(lower.replaceAll('_', '-'))) continue;
    hasCookie ||= isCookie;
    const isCounted = lower === 'max-forwards' && request.method === 'OPTIONS';
    kept.push([name, isCookie ? cookies : isCounted ? String(Number(value) - 1) : value]);
  }
  const via = [...valuesOf(request.fields, 'via'), `${request.version} <cluster>`].join(', ');
  return [
    ['host', host],
    ...kept,
    ['Via', via],
    ['X-Forwarded-For', '127.0.0.1'],
    ['X-Forwarded-Proto', 'http'],
    ['X-Forwarded-Host', host],
  ];
}

/** The request line, fields and body that the worker must get, as one comparable text. */
function expected(request: ReadRequest): string {
  const absolute = /^https?:\/\/([^/?]*)(.*)$/i.exec(request.target);
  const rest = absolute?.[2] ?? request.target;
  const target = rest.startsWith('/') ? rest : `/${rest}`;
  const host = absolute?.[1] ?? valuesOf(request.fields, 'host')[0] ?? 'localhost';
  return JSON.stringify([request.method, target, expectedFields(request, host), request.body]);
}

/** What the worker got, as the same text. Its framing is the reader's business: one line at most, and it has read it. */
function got(request: ReadRequest): string {
  const fields = request.fields
    .filter(([name]) => !/^(?:limpet-|connection$|content-length$|transfer-encoding$)/.test(name.toLowerCase()))
    .map(([name, value]): Field => [name, name === 'Via' ? value.replace(/limpet-[0-9a-f]{8}$/, '<cluster>') : value]);
  return JSON.stringify([request.method, request.target, fields, request.body]);
}

const victimHead =
  /^GET \/victim HTTP\/1\.1\r\nhost: victim\.example\r\nconnection: keep-alive\r\nCookie: JSESSIONID=secret\r\nVia: 1\.1 limpet-[0-9a-f]{8}\r\nX-Forwarded-For: 127\.0\.0\.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: victim\.example\r\nlimpet-request: [0-9a-f]{32}\r\nlimpet-view: 1\.1\r\nlimpet-attempt: 1\r\nlimpet-deadline: [0-9]+\r\n\r\n$/;
const isVictim = ({ target }: ReadRequest): boolean => target === '/victim';
const victimText = 'GET /victim HTTP/1.1\r\nHost: victim.example\r\nCookie: JSESSIONID=secret\r\n\r\n';

/** Sends anything at all through a rig and says what is wrong with what came of it. */
export class Oracle {
  readonly #rig: Rig;
  readonly #victims: RawClient[] = [];

  constructor(rig: Rig) {
    this.#rig = rig;
  }

  /** `pieces`: the input as it is written; `isReused`: behind a request that was served on the same connection. */
  async examine(pieces: readonly string[], isReused: boolean): Promise<Outcome> {
    const { upstream, port } = this.#rig;
    upstream.forget();
    upstream.script = answerWithTarget;
    const client = new RawClient(port);
    if (isReused) {
      client.methods.push('GET');
      client.send('GET /warm HTTP/1.1\r\nHost: a\r\n\r\n');
      await client.finals(1);
    }
    const seen = upstream.requests.length;
    const reading = readRequests(pieces.join(''));
    client.methods.push(...reading.requests.map(({ method }) => method));
    await client.sendPieces(pieces);
    const isOpen = await this.#settle(client, reading);
    client.socket.destroy();
    await until(() => !upstream.open.some((connection) => connection.isMidway));
    const served = upstream.requests.slice(seen).filter((request) => !isVictim(request));
    this.#compare(served, reading.requests);
    const refused = readAnswered(client, served, isReused);
    await this.meetVictims();
    return { served: served.length, refused, isOpen };
  }

  close(): void {
    for (const victim of this.#victims) victim.socket.destroy();
  }

  /** Waits until the connection says nothing more. True: it waits for more of the request. */
  async #settle(client: RawClient, { requests, rest }: ReturnType<typeof readRequests>): Promise<boolean> {
    const isRefused = (): boolean =>
      client.answers.finals.some(
        ({ status, fields }) => status >= 400 && tokensOf(fields, 'connection').includes('close'),
      );
    const total = client.methods.length;
    const isOver = (): boolean => client.isClosed || isRefused();
    await until(() => isOver() || client.answers.finals.length >= total || requests.length === 0);
    if (rest === 'last') await until(isOver);
    // What cannot be a request must be refused; what may still become one is waited for. Two others in between tell.
    for (let round = 0; round < 2 && rest !== 'end' && !isOver(); round++) await this.meetVictims();
    return !isOver() && rest !== 'end';
  }

  #compare(served: readonly ReadRequest[], sent: readonly ReadRequest[]): void {
    const faults = this.#rig.upstream.connections.filter(({ fault }) => fault !== null);
    if (faults.length > 0)
      throw new Error(`malformed at the worker: ${JSON.stringify(faults.map(({ bytes }) => bytes))}`);
    for (const [at, request] of served.entries()) {
      const mine = sent[at];
      if (mine === undefined) throw new Error(`a request nobody sent: ${got(request)}`);
      if (expected(mine) !== got(request)) throw new Error(`changed: ${expected(mine)} became ${got(request)}`);
    }
  }

  /** As many requests of others as connections to the worker are open, all at the same time: each gets one. */
  async meetVictims(): Promise<void> {
    const { upstream, port } = this.#rig;
    const count = Math.max(1, upstream.open.length);
    const held: (() => void)[] = [];
    const script: Script = (request, connection) => {
      if (!isVictim(request)) return answerWithTarget(request, connection);
      if (!victimHead.test(connection.last))
        throw new Error(`a victim was changed: ${JSON.stringify(connection.last)}`);
      held.push(() => connection.send(answerTo(request, `victim ${held.length}`)));
      if (held.length === count) for (const answer of held) answer();
    };
    upstream.script = script;
    while (this.#victims.length < count) this.#victims.push(new RawClient(port));
    await Promise.all(
      this.#victims.slice(0, count).map(async (victim) => {
        victim.text = '';
        victim.send(victimText);
        const [answer] = await victim.finals(1);
        if (answer?.status !== 200 || !/^victim [0-9]+$/.test(answer.body)) {
          throw new Error(`a victim got ${JSON.stringify(victim.text)}`);
        }
      }),
    );
  }
}

/** Checks that every answer belongs to its request and gives the status of a refusal, if there was one. */
function readAnswered(client: RawClient, served: readonly ReadRequest[], isReused: boolean): number | null {
  let { finals, rest } = client.answers;
  if (rest === 'invalid') {
    // A HEAD whose line could not be read is refused like anything else, with a page.
    const methods = client.methods.map((method, at) => (at < served.length + Number(isReused) ? method : 'GET'));
    ({ finals, rest } = readAnswers(client.text, methods, client.isClosed));
  }
  if (rest === 'invalid') throw new Error(`the client got no HTTP: ${JSON.stringify(client.text)}`);
  let refused: number | null = null;
  for (const [at, answer] of finals.slice(isReused ? 1 : 0).entries()) {
    const request = served[at];
    if (answer.status === 200) {
      const own = request && (request.method === 'HEAD' ? '' : `${request.method} ${request.target}`);
      if (answer.body !== own) throw new Error(`a wrong answer: ${JSON.stringify(client.text)}`);
    } else if (answer.status >= 400 && ![500, 502, 503, 504].includes(answer.status)) refused ??= answer.status;
    else if (answer.status !== 204) throw new Error(`a wrong status: ${JSON.stringify(client.text)}`);
  }
  return refused;
}
