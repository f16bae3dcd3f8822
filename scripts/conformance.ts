import { Agent, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import httpProxy from 'http-proxy';
import { corpus, type Row } from '../test/http/corpus.ts';
import { methodsWithFramings, namedInConnection } from '../test/http/mutations.ts';
import { answerWithTarget } from '../test/http/recording-upstream.ts';
import { RawClient, Rig } from '../test/http/rig.ts';
import { type ReadRequest, readRequests, tokensOf, valuesOf } from '../test/http/strict-reader.ts';

/**
 * `npm run conformance`: the raw inputs of test/http through the balancer, and, with `--against`, through http-proxy-3 too.
 * Prints a table of the inputs that somebody does not treat as required. Exit 1 if the balancer is among them.
 */

/** How an input ended: all but `forwarded` and `refused` is wrong for every input. */
type Ending =
  | { readonly kind: 'forwarded' }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'unanswered' }
  | { readonly kind: 'changed'; readonly why: string }
  | { readonly kind: 'victim' };

interface Contender {
  readonly name: string;
  readonly port: number;
  readonly rig: Rig;
  readonly close: () => void;
}

/** Long enough for every answer on a loopback socket; nothing but the speed of this program hangs on it. */
const quietMs = 150;

async function startBalancer(): Promise<Contender> {
  const rig = await Rig.start();
  return { name: 'Limpet', port: rig.port, rig, close: () => {} };
}

/** http-proxy-3 as its README shows it, with a keep-alive agent. */
async function startHttpProxy(): Promise<Contender> {
  const rig = await Rig.start();
  const target = { protocol: 'http:', host: 'worker', socketPath: rig.workerPath };
  const proxy = httpProxy.createProxyServer({ target: target as never, agent: new Agent({ keepAlive: true }) });
  proxy.on('error', () => {});
  const server = createServer((request, response) => {
    proxy.web(request, response, {}, () => {
      if (!response.headersSent) response.writeHead(502);
      response.end();
    });
  });
  server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head, {}, () => socket.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { name: 'http-proxy-3', port: (server.address() as AddressInfo).port, rig, close };
}

/** What the worker must be told of a request, whoever forwards it. */
function sense({ method, target, fields, body }: ReadRequest): string {
  const absolute = /^https?:\/\/([^/?]*)(.*)$/i.exec(target);
  const rest = absolute?.[2] ?? target;
  const host = absolute?.[1] ?? valuesOf(fields, 'host')[0] ?? '';
  return JSON.stringify([method, rest.startsWith('/') ? rest : `/${rest}`, host, body]);
}

function explainChange(got: ReadRequest, sent: ReadRequest | undefined): string | null {
  if (sent === undefined) return 'forwarded, and is no request';
  if (sense(got) !== sense(sent) && valuesOf(sent.fields, 'host').length > 0) return 'forwarded as another request';
  const named = tokensOf(sent.fields, 'connection').filter((name) => !['close', 'keep-alive'].includes(name));
  const own = got.fields.filter(([name]) => named.includes(name.toLowerCase()));
  return own.length > 0 ? 'fields of one connection forwarded' : null;
}

async function examine({ port, rig }: Contender, [, text]: Row): Promise<Ending> {
  const { upstream } = rig;
  upstream.forget();
  upstream.script = answerWithTarget;
  const sent = readRequests(text).requests;
  const client = new RawClient(port);
  client.methods.push(...sent.map(({ method }) => method));
  client.send(text);
  for (let bytes = -1; bytes !== client.text.length + upstream.bytes.length && !client.isClosed; ) {
    bytes = client.text.length + upstream.bytes.length;
    await sleep(quietMs);
  }
  client.socket.destroy();
  const got = [...upstream.requests];
  const malformed = upstream.connections.find(({ fault }) => fault !== null);
  const victim = new RawClient(port);
  victim.send('GET /victim HTTP/1.1\r\nHost: v\r\nCookie: secret=1\r\nConnection: close\r\n\r\n');
  await Promise.race([victim.finals(1), sleep(2_000)]);
  victim.socket.destroy();
  if (malformed !== undefined) return { kind: 'changed', why: 'malformed at the worker' };
  const theirs = upstream.requests.at(-1);
  if (victim.answers.finals[0]?.body !== 'GET /victim' || theirs?.target !== '/victim') return { kind: 'victim' };
  for (const [at, request] of got.entries()) {
    const why = explainChange(request, sent[at]);
    if (why !== null) return { kind: 'changed', why };
  }
  if (got.length > 0) return { kind: 'forwarded' };
  const status = client.answers.finals[0]?.status ?? Number(/^HTTP\/1\.1 (\d{3})/.exec(client.text)?.[1] ?? 0);
  return status >= 200 ? { kind: 'refused', status } : { kind: 'unanswered' };
}

function isRequired(ending: Ending, [, , verdict]: Row): boolean {
  if (verdict === 'served') return ending.kind === 'forwarded';
  return ending.kind === 'refused' && ending.status >= 400;
}

function describe(ending: Ending): string {
  switch (ending.kind) {
    case 'refused':
      return String(ending.status);
    case 'changed':
      return ending.why;
    case 'victim':
      return "**the next user's request was harmed**";
    default:
      return ending.kind;
  }
}

/** Names shown of inputs that everybody treats alike. */
const namesShown = 6;

function tableLine([cells, names]: readonly [string, readonly string[]]): string {
  const more = names.length > namesShown ? ` and ${names.length - namesShown} more` : '';
  return `| ${names.slice(0, namesShown).join('; ')}${more} | ${cells} |`;
}

const rows: readonly Row[] = [...corpus, ...methodsWithFramings(), ...namedInConnection()];
const contenders = [await startBalancer()];
if (process.argv.includes('--against')) contenders.push(await startHttpProxy());
const wrong = contenders.map(() => 0);
const alike = new Map<string, string[]>();
for (const row of rows) {
  const endings = await Promise.all(contenders.map((contender) => examine(contender, row)));
  const areRight = endings.map((ending) => isRequired(ending, row));
  for (const [at, isRight] of areRight.entries()) if (!isRight) wrong[at] = (wrong[at] ?? 0) + 1;
  if (areRight.every((isRight) => isRight)) continue;
  const cells = [row[2] === 'served' ? 'forwarded' : row[2].join(', '), ...endings.map(describe)].join(' | ');
  const name = row[0].replace(/\r\n.*/, ', on two lines').replaceAll('|', '\\|');
  alike.set(cells, [...(alike.get(cells) ?? []), name]);
}
const names = contenders.map(({ name }) => name);
console.log(`${rows.length} inputs; not as required: ${names.map((name, at) => `${name} ${wrong[at]}`).join(', ')}\n`);
if (alike.size > 0) {
  console.log(`| input | required | ${names.join(' | ')} |\n|---|---|${names.map(() => '---|').join('')}`);
  for (const entry of alike) console.log(tableLine(entry));
}
for (const { close, rig } of contenders) {
  close();
  await rig.close();
}
// Tunnels that http-proxy-3 has left open would keep the process.
process.exit(wrong[0] === 0 ? 0 : 1);
