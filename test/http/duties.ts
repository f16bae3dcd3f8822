import { answerTo, idOf } from './recording-upstream.ts';
import { type RawClient, type Rig, until } from './rig.ts';
import type { ReadAnswer, ReadRequest } from './strict-reader.ts';

/** A request's text: `Host: a` and the given lines. */
export const request = (
  target: string,
  lines: readonly string[] = [],
  method = 'GET',
  body = '',
  version = '1.1',
): string => `${[`${method} ${target} HTTP/${version}`, 'Host: a', ...lines, '', ''].join('\r\n')}${body}`;

/** What the upstream received, with what differs from run to run replaced. */
export const normal = (bytes: string): string =>
  bytes
    .replaceAll(/limpet-request: [0-9a-f]{32}/g, 'limpet-request: <id>')
    .replaceAll(/limpet-deadline: [0-9]+/g, 'limpet-deadline: <ms>')
    .replaceAll(/ limpet-[0-9a-f]{8}(?=[\r,])/g, ' <cluster>');

/** The head that the upstream must get: these lines of the client's, then those of the balancer. */
export function forwarded(
  line: string,
  lines: readonly string[],
  { host = 'a', via = '1.1 <cluster>', connection = 'keep-alive', framing = [] as readonly string[], body = '' } = {},
): string {
  const head = [
    line,
    `host: ${host}`,
    `connection: ${connection}`,
    ...lines,
    `Via: ${via}`,
    'X-Forwarded-For: 127.0.0.1',
    'X-Forwarded-Proto: http',
    `X-Forwarded-Host: ${host}`,
    'limpet-request: <id>',
    'limpet-view: 1.1',
    'limpet-attempt: 1',
    'limpet-deadline: <ms>',
    ...framing,
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

/** Sends the text and gives the bytes that the upstream received because of it. */
export async function received(rig: Rig, text: string): Promise<string> {
  const before = rig.upstream.bytes.length;
  const { answer } = await rig.ask(text);
  if (answer === undefined) throw new Error(`no answer to ${JSON.stringify(text)}`);
  return normal(rig.upstream.bytes.slice(before));
}

/** Sends what must be refused: gives the answer, once the connection is closed and if nothing reached the upstream. */
export async function refusal(rig: Rig, text: string): Promise<ReadAnswer> {
  const before = rig.upstream.bytes;
  const { answer, ...client } = await rig.ask(text);
  await until(() => client.socket.destroyed);
  if (answer === undefined) throw new Error(`no answer to ${JSON.stringify(text)}`);
  if (rig.upstream.bytes !== before) throw new Error(`reached the upstream: ${JSON.stringify(text)}`);
  return answer;
}

/** An answer head as a worker sends it, for scripts that write the rest by themselves. */
export const answerHead = (got: ReadRequest, lines: readonly string[], status = '200 OK'): string =>
  `${[`HTTP/1.1 ${status}`, `limpet-request: ${idOf(got)}`, ...lines, '', ''].join('\r\n')}`;

/** Answers every request with these lines and this body. */
export function answering(rig: Rig, lines: readonly string[], body = 'ok', status = '200 OK'): void {
  rig.upstream.script = (got, connection) => connection.send(answerTo(got, body, lines, status));
}

/** The head of the last answer as the client received it, without the lines that Node's server adds. */
export const seenHead = (client: RawClient): readonly string[] =>
  (client.text.split('\r\n\r\n')[0] ?? '')
    .split('\r\n')
    .filter((line) => !/^(?:Date|Connection|Keep-Alive): /.test(line));
