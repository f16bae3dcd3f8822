import { idOf, type UpstreamConnection } from './recording-upstream.ts';
import type { ReadRequest } from './strict-reader.ts';

/** What a broken or hostile worker may send instead of an answer. */

/**
 * `refused`: the client gets a 502 of Limpet's own. `cut`: part of the answer was out, and the client sees that it is
 * incomplete. An object: the answer could be read in one way only, and the client gets exactly this of it.
 */
export type Fate = 'refused' | 'cut' | { readonly status: number; readonly body: string };

export interface BadAnswer {
  readonly name: string;
  readonly fate: Fate;
  readonly method: string;
  readonly send: (request: ReadRequest, connection: UpstreamConnection) => void;
}

const kinds: BadAnswer[] = [];

function add(name: string, fate: Fate, send: BadAnswer['send'], method = 'POST'): void {
  kinds.push({ name, fate, method, send });
}

/** An answer of this text; `ID` in it becomes the request's own id. `isLast`: the connection ends behind it. */
function addText(name: string, fate: Fate, text: string, { isLast = false, method = 'POST' } = {}): void {
  const send: BadAnswer['send'] = (request, connection) => {
    connection.send(text.replaceAll('ID', idOf(request)));
    if (isLast) connection.socket.end();
  };
  add(name, fate, send, method);
}

const ok = { status: 200, body: 'ok' };
const start = 'HTTP/1.1 200 OK\r\nlimpet-request: ID\r\n';
const whole = `${start}Content-Length: 2\r\n`;
const chunked = `${start}Transfer-Encoding: chunked\r\n\r\n`;
/** A chunk, so that the head is out before what follows. */
const begun = `${chunked}3\r\nabc\r\n`;

// No head that could be read.
addText('another protocol', 'refused', 'SSH-2.0-OpenSSH\r\n');
addText('a body without a head', 'refused', '<html>hello</html>\r\n', { isLast: true });
addText('nothing, and closed', 'refused', '', { isLast: true });
addText('half a head, and closed', 'refused', `${start}Content-Le`, { isLast: true });
addText('an empty status', 'refused', 'HTTP/1.1  OK\r\nlimpet-request: ID\r\nContent-Length: 2\r\n\r\nok');
addText('a status of two digits', 'refused', 'HTTP/1.1 20 OK\r\nlimpet-request: ID\r\nContent-Length: 2\r\n\r\nok');
addText('a status of four digits', 'refused', 'HTTP/1.1 2000 OK\r\nlimpet-request: ID\r\nContent-Length: 2\r\n\r\nok');
addText('status 099', 'refused', 'HTTP/1.1 099 OK\r\nlimpet-request: ID\r\nContent-Length: 2\r\n\r\nok');
addText('status 600', 'refused', 'HTTP/1.1 600 OK\r\nlimpet-request: ID\r\nContent-Length: 2\r\n\r\nok');
addText('status 999', 'refused', 'HTTP/1.1 999 OK\r\nlimpet-request: ID\r\nContent-Length: 2\r\n\r\nok');
addText('version 1.10', 'refused', 'HTTP/1.10 200 OK\r\nlimpet-request: ID\r\nContent-Length: 2\r\n\r\nok');
addText('101 that nobody asked for', 'refused', 'HTTP/1.1 101 x\r\nlimpet-request: ID\r\n\r\nok');
addText(
  '101 to websocket that nobody asked for',
  'refused',
  'HTTP/1.1 101 x\r\nlimpet-request: ID\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nok',
);
addText('100 that nobody asked for', 'refused', `HTTP/1.1 100 Continue\r\n\r\n${whole}\r\nok`);

// Lines that two readers read in two ways.
addText('a folded line', 'refused', `${whole}X: a\r\n b\r\n\r\nok`);
addText('a space before the colon', 'refused', `${start}Content-Length : 2\r\n\r\nok`);
addText('a bare CR', 'refused', `${whole}X: a\rSet-Cookie: evil=1\r\n\r\nok`);
addText('LF instead of CRLF', 'refused', `${whole}X: a\n\r\nok`);
addText('a NUL', 'refused', `${whole}X: a\0b\r\n\r\nok`);
addText('a control character', 'refused', `${whole}X: a\x01b\r\n\r\nok`);
addText('a line without a colon', 'refused', `${whole}XYZ\r\n\r\nok`);
addText('an empty name', 'refused', `${whole}: x\r\n\r\nok`);
addText('a name of no token', 'refused', `${whole}\xc3\xa9: x\r\n\r\nok`);
addText('a head above 64 KiB', 'refused', `${whole}X: ${'a'.repeat(70_000)}\r\n\r\nok`);

// Framings that two readers read in two ways.
addText('a length and a coding', 'refused', `${start}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`);
addText('an empty member before chunked', 'refused', `${start}Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n`);
addText(
  'chunked on two lines',
  'refused',
  `${start}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
);
addText('another coding before chunked', 'refused', `${start}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`);
addText('an unknown coding', 'refused', `${start}Transfer-Encoding: x\r\n\r\nok`, { isLast: true });
addText('two lengths that differ', 'refused', `${start}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok`);
addText('two lengths that agree', 'refused', `${start}Content-Length: 2\r\nContent-Length: 2\r\n\r\nok`);
addText('a list of lengths', 'refused', `${start}Content-Length: 2, 2\r\n\r\nok`);
addText('a negative length', 'refused', `${start}Content-Length: -2\r\n\r\nok`);
addText('a hexadecimal length', 'refused', `${start}Content-Length: 0x2\r\n\r\nok`);
addText('a length of 2^64 + 2', 'refused', `${start}Content-Length: 18446744073709551618\r\n\r\nok`);

// Answers to someone else.
addText('no request id', 'refused', 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret');
addText(
  "another request's id",
  'refused',
  `HTTP/1.1 200 OK\r\nlimpet-request: ${'0'.repeat(32)}\r\nContent-Length: 6\r\n\r\nsecret`,
);
addText('two ids, one of them its own', 'refused', `${whole}Limpet-Request: ${'0'.repeat(32)}\r\n\r\nok`);
addText('a verdict that is none', 'refused', `${whole}limpet-verdict: perhaps\r\n\r\nok`);

// Bodies that break.
addText('a short body, and closed', 'refused', `${start}Content-Length: 10\r\n\r\nok`, { isLast: true });
addText('a long body, and closed', 'cut', `${start}Content-Length: 100000\r\n\r\n${'x'.repeat(80_000)}`, {
  isLast: true,
});
addText('a chunk size that is none', 'cut', `${begun}zz\r\nok\r\n0\r\n\r\n`);
addText('a chunk size of 2^64 + 3', 'cut', `${begun}10000000000000003\r\nabc\r\n0\r\n\r\n`);
addText('a chunk longer than its size', 'cut', `${begun}3\r\nabcd\r\n0\r\n\r\n`);
addText('a chunk with LF', 'cut', `${begun}3\nabc\n0\n\n`);
addText('a chunk extension with a bare CR', 'cut', `${begun}3;a\rb\r\nabc\r\n0\r\n\r\n`);
addText('half a chunk, and closed', 'cut', `${begun}5\r\nab`, { isLast: true });
addText('no last chunk, and closed', 'cut', begun, { isLast: true });

// More than an answer.
addText('bytes behind the body', ok, `${whole}\r\nokEXTRA`);
addText(
  'another answer behind the body',
  ok,
  `${whole}\r\nok${start.replace('ID', '0'.repeat(32))}Content-Length: 4\r\n\r\nEVIL`,
);
addText('another answer behind the last chunk', { status: 200, body: 'abc' }, `${begun}0\r\n\r\n${whole}\r\nok`);
addText(
  'a body behind 204',
  { status: 204, body: '' },
  'HTTP/1.1 204 No Content\r\nlimpet-request: ID\r\nContent-Length: 2\r\n\r\nok',
);
addText(
  'a body behind 304',
  { status: 304, body: '' },
  'HTTP/1.1 304 Not Modified\r\nlimpet-request: ID\r\nContent-Length: 2\r\n\r\nok',
);
addText('a body behind HEAD', { status: 200, body: '' }, `${whole}\r\nok`, { method: 'HEAD' });
add('an answer to nothing, on an idle connection', ok, (request, connection) => {
  connection.send(`${whole}\r\nok`.replace('ID', idOf(request)));
  setImmediate(() => setImmediate(() => connection.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL')));
});

// Odd, and understood in one way only.
addText('control characters in the reason', ok, `${whole.replace('OK', '\x1b[31mOK\x07')}\r\nok`);
addText('ends with the connection', ok, `${start}\r\nok`, { isLast: true });
addText('trailers', { status: 200, body: 'abc' }, `${begun}0\r\nSet-Cookie: late=1\r\nlimpet-request: 0\r\n\r\n`);
addText('1,500 lines, the cookie last', ok, `${whole}${'X-A: 1\r\n'.repeat(1_500)}Set-Cookie: late=1\r\n\r\nok`);

export const badAnswers: readonly BadAnswer[] = kinds;
