/**
 * HTTP/1.1 as the RFCs write it and no wider, read from latin1 text: the reference that the balancer is held against. It
 * shares no code with the product and asks nobody else's parser.
 *
 * Three things it lets pass, because Node's parser does and nothing can be read in two ways by them: empty lines before a
 * request line (RFC 9112 §2.2 asks for one), several spaces around the target, and anything printable
 * as a chunk extension.
 */

export type Field = readonly [name: string, value: string];
export type Framing = 'none' | 'length' | 'chunked';

export interface ReadRequest {
  readonly method: string;
  readonly target: string;
  readonly version: '1.0' | '1.1';
  readonly fields: readonly Field[];
  readonly framing: Framing;
  readonly body: string;
  readonly trailers: readonly Field[];
}

export interface ReadAnswer {
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly Field[];
  readonly body: string;
  readonly trailers: readonly Field[];
}

/** What stands at a place of the text. `end`: where the next message begins. */
export type Reading<T> =
  | { readonly kind: 'read'; readonly message: T; readonly end: number }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'invalid'; readonly why: string };

type Failure = Exclude<Reading<never>, { readonly kind: 'read' }>;

const incomplete: Failure = { kind: 'incomplete' };
const invalid = (why: string): Failure => ({ kind: 'invalid', why });

const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const requestLine = new RegExp(`^(${token}) +([!-~]+) +HTTP/(1\\.[01])$`);
const statusLine = /^HTTP\/1\.1 ([1-5][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)$/;
const fieldLine = new RegExp(
  `^(${token}):[ \\t]*((?:[!-~\\x80-\\xff](?:[\\t !-~\\x80-\\xff]*[!-~\\x80-\\xff])?)?)[ \\t]*$`,
);
const chunkLine = /^([0-9A-Fa-f]{1,13})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?$/;
const hostValue = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;

/** The values of every line of this name. */
export const valuesOf = (fields: readonly Field[], name: string): readonly string[] =>
  fields.filter(([field]) => field.toLowerCase() === name).map(([, value]) => value);

/** The members of every line of this name, lower case. */
export const tokensOf = (fields: readonly Field[], name: string): readonly string[] =>
  valuesOf(fields, name).flatMap((value) =>
    value
      .toLowerCase()
      .split(',')
      .map((part) => part.replace(/^[ \t]+|[ \t]+$/g, ''))
      .filter((part) => part !== ''),
  );

/** The line that begins at `from`, ended by CRLF. A control character in it is invalid before its end is known. */
function readLine(text: string, from: number): Reading<string> {
  const end = text.indexOf('\r\n', from);
  const line = end < 0 ? text.slice(from).replace(/\r$/, '') : text.slice(from, end);
  if (/[\0\r\n]/.test(line)) return invalid('a bare CR, LF or NUL in a line');
  return end < 0 ? incomplete : { kind: 'read', message: line, end: end + 2 };
}

function readFields(text: string, from: number): Reading<readonly Field[]> {
  const fields: Field[] = [];
  for (let at = from; ; ) {
    const line = readLine(text, at);
    if (line.kind !== 'read') return line;
    at = line.end;
    if (line.message === '') return { kind: 'read', message: fields, end: at };
    const match = fieldLine.exec(line.message);
    if (match === null) return invalid('a header line');
    fields.push([match[1] ?? '', match[2] ?? '']);
  }
}

interface ReadBody {
  readonly body: string;
  readonly trailers: readonly Field[];
}

/** Fields that say where a message ends: none of them may come after its body. All others may, and are not used. */
const neverTrailing = new Set(['content-length', 'transfer-encoding']);

function readChunks(text: string, from: number): Reading<ReadBody> {
  let body = '';
  for (let at = from; ; ) {
    const line = readLine(text, at);
    if (line.kind !== 'read') return line;
    const size = chunkLine.exec(line.message)?.[1];
    if (size === undefined) return invalid('a chunk size');
    at = line.end;
    const bytes = Number.parseInt(size, 16);
    if (bytes === 0) {
      const trailers = readFields(text, at);
      if (trailers.kind !== 'read') return trailers;
      if (trailers.message.some(([name]) => neverTrailing.has(name.toLowerCase()))) return invalid('a trailer');
      return { kind: 'read', message: { body, trailers: trailers.message }, end: trailers.end };
    }
    body += text.slice(at, at + bytes);
    const after = text.slice(at + bytes, at + bytes + 2);
    if (!'\r\n'.startsWith(after)) return invalid('a chunk longer than its size');
    if (after.length < 2) return incomplete;
    at += bytes + 2;
  }
}

function decideFraming(fields: readonly Field[], version: string): { framing: Framing; bytes: number } | string {
  const codings = valuesOf(fields, 'transfer-encoding');
  const lengths = valuesOf(fields, 'content-length');
  if (codings.length > 0) {
    if (version === '1.0') return 'a coding in HTTP/1.0';
    if (lengths.length > 0) return 'a length and a coding';
    if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked') return 'the coding';
    return { framing: 'chunked', bytes: 0 };
  }
  if (lengths.length === 0) return { framing: 'none', bytes: 0 };
  if (lengths.length > 1 || !/^[0-9]{1,15}$/.test(lengths[0] ?? '')) return 'the length';
  return { framing: 'length', bytes: Number(lengths[0]) };
}

function readBody(text: string, from: number, framing: Framing, bytes: number): Reading<ReadBody> {
  if (framing === 'chunked') return readChunks(text, from);
  if (text.length < from + bytes) return incomplete;
  return { kind: 'read', message: { body: text.slice(from, from + bytes), trailers: [] }, end: from + bytes };
}

/** The request that begins at `from`. */
export function readRequest(text: string, from = 0): Reading<ReadRequest> {
  let at = from;
  while (text[at] === '\r' || text[at] === '\n') at += 1;
  if (at >= text.length) return incomplete;
  const line = readLine(text, at);
  if (line.kind !== 'read') return line;
  const match = requestLine.exec(line.message);
  if (match === null) return invalid('the request line');
  const [, method = '', target = '', version = ''] = match;
  const fields = readFields(text, line.end);
  if (fields.kind !== 'read') return fields;
  const hosts = valuesOf(fields.message, 'host');
  if (hosts.length > 1 || (hosts.length === 0 && version === '1.1')) return invalid('the number of Host lines');
  if (hosts[0] !== undefined && !hostValue.test(hosts[0])) return invalid('the Host');
  const decided = decideFraming(fields.message, version);
  if (typeof decided === 'string') return invalid(decided);
  const body = readBody(text, fields.end, decided.framing, decided.bytes);
  if (body.kind !== 'read') return body;
  const message: ReadRequest = {
    method,
    target,
    version: version as ReadRequest['version'],
    fields: fields.message,
    framing: decided.framing,
    ...body.message,
  };
  return { kind: 'read', message, end: body.end };
}

/** Whether bytes after this request belong to no further request: the connection ends, or becomes something else. */
export function isLast({ method, version, fields }: ReadRequest): boolean {
  const connection = tokensOf(fields, 'connection');
  const isUpgrade = connection.includes('upgrade') && tokensOf(fields, 'upgrade').includes('websocket');
  return version === '1.0' || connection.includes('close') || isUpgrade || method === 'CONNECT';
}

/** Every request of a connection, and how the text goes on after the last. */
export function readRequests(text: string): {
  requests: ReadRequest[];
  rest: 'end' | 'incomplete' | 'invalid' | 'last';
} {
  const requests: ReadRequest[] = [];
  for (let at = 0; at < text.length; ) {
    const reading = readRequest(text, at);
    if (reading.kind !== 'read') {
      const isOver = reading.kind === 'incomplete' && /^[\r\n]*$/.test(text.slice(at));
      return { requests, rest: isOver ? 'end' : reading.kind };
    }
    requests.push(reading.message);
    if (isLast(reading.message)) return { requests, rest: 'last' };
    at = reading.end;
  }
  return { requests, rest: 'end' };
}

/** The answer that begins at `from`. `method`: of the request it answers; `isClosed`: no more text follows. */
export function readAnswer(text: string, from: number, method: string, isClosed: boolean): Reading<ReadAnswer> {
  const line = readLine(text, from);
  if (line.kind !== 'read') return line;
  const match = statusLine.exec(line.message);
  if (match === null) return invalid('the status line');
  const status = Number(match[1]);
  const reason = match[2] ?? '';
  const fields = readFields(text, line.end);
  if (fields.kind !== 'read') return fields;
  const head = { status, reason, fields: fields.message };
  const framed = valuesOf(head.fields, 'content-length').length + valuesOf(head.fields, 'transfer-encoding').length;
  if ((status < 200 || status === 204) && framed > 0) return invalid('framing where no body can be');
  const decided = decideFraming(head.fields, '1.1');
  if (typeof decided === 'string') return invalid(decided);
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) {
    return { kind: 'read', message: { ...head, body: '', trailers: [] }, end: fields.end };
  }
  if (decided.framing === 'none') {
    if (!isClosed) return incomplete;
    return { kind: 'read', message: { ...head, body: text.slice(fields.end), trailers: [] }, end: text.length };
  }
  const body = readBody(text, fields.end, decided.framing, decided.bytes);
  if (body.kind !== 'read') return body;
  return { kind: 'read', message: { ...head, ...body.message }, end: body.end };
}

/** All answers of a connection; interim ones are left out of `finals`. `methods`: of the requests, in order. */
export function readAnswers(
  text: string,
  methods: readonly string[],
  isClosed: boolean,
): { finals: ReadAnswer[]; interims: ReadAnswer[]; rest: 'end' | 'incomplete' | 'invalid' } {
  const finals: ReadAnswer[] = [];
  const interims: ReadAnswer[] = [];
  for (let at = 0; at < text.length; ) {
    const reading = readAnswer(text, at, methods[finals.length] ?? 'GET', isClosed);
    if (reading.kind !== 'read') return { finals, interims, rest: reading.kind };
    (reading.message.status < 200 ? interims : finals).push(reading.message);
    at = reading.end;
  }
  return { finals, interims, rest: 'end' };
}
