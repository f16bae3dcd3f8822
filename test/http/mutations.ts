import type { Row } from './corpus.ts';

/** Inputs made by rule instead of by hand. */

const odd = ['\0', '\x01', '\t', '\x0b', '\x0c', '\r', '\n', ' ', '"', ',', ';', '_', '\x7f', '\x85', '\xa0', '\xff'];

/** Ways to write the coding so that one of two servers might not see it. */
function codingLines(): readonly string[] {
  const spelled = [
    'transfer-encoding: chunked',
    'TRANSFER-ENCODING: CHUNKED',
    'Transfer-Encoding: chunk',
    'Transfer-Encoding: chunked chunked',
    'Transfer-Encoding: chunked, chunked',
    'Transfer-Encoding: identity',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
    'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding:\r\n chunked',
    'Transfer-Encoding\r\n: chunked',
    'X: 1\r\n Transfer-Encoding: chunked',
    'X: 1\nTransfer-Encoding: chunked',
    'X: 1\rTransfer-Encoding: chunked',
    'Transfer_Encoding: chunked',
    'Transfer Encoding: chunked',
    'TransferEncoding: chunked',
    'Content-Encoding: chunked',
    "Transfer-Encoding: 'chunked'",
    'Transfer-Encoding: %63hunked',
    'Transfer-Encoding: chunked\r\n Content-Length: 4',
  ];
  const inserted = odd.flatMap((character) => [
    `${character}Transfer-Encoding: chunked`,
    `Transfer${character}-Encoding: chunked`,
    `Transfer-Encoding${character}: chunked`,
    `Transfer-Encoding:${character}chunked`,
    `Transfer-Encoding: chu${character}nked`,
    `Transfer-Encoding: chunked${character}`,
    `X: 1${character}\r\nTransfer-Encoding: chunked`,
  ]);
  return [...spelled, ...inserted];
}

/** The coding in every disguise, with a length and without: a hidden request stands where the two readings differ. */
export function hiddenCodings(): readonly string[] {
  const hidden = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
  return codingLines().flatMap((line) => {
    const head = `POST /s3 HTTP/1.1\r\nHost: a\r\n${line}\r\n`;
    return [
      `${head}\r\n0\r\n\r\n${hidden}`,
      `${head}Content-Length: ${5 + hidden.length}\r\n\r\n0\r\n\r\n${hidden}`,
      `POST /s3 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n${line}\r\n\r\n${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
    ];
  });
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND'];

/** Every method with every framing. A body that looks like a request must stay a body. */
export function methodsWithFramings(): readonly Row[] {
  const hidden = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
  const framings = [
    ['none', '\r\n'],
    ['length', `Content-Length: ${hidden.length}\r\n\r\n${hidden}`],
    ['chunked', `Transfer-Encoding: chunked\r\n\r\n${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`],
    ['chunked, empty', 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['length 0', 'Content-Length: 0\r\n\r\n'],
  ] as const;
  return methods.flatMap((method) =>
    framings.map(
      ([name, rest]): Row => [
        `${method}, ${name}`,
        `${method} /s5 HTTP/1.1\r\nHost: a\r\n${rest}`,
        method === 'TRACE' ? [405] : 'served',
      ],
    ),
  );
}

/** What an app decides by, and what the balancer itself adds: none of it may be named in Connection. */
export const sensitive = [
  'Authorization',
  'Cache-Control',
  'Content-Encoding',
  'Content-Length',
  'Content-Type',
  'Cookie',
  'Forwarded',
  'Host',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'Limpet-Deadline',
  'Limpet-Request',
  'Limpet-Session',
  'Max-Forwards',
  'Origin',
  'Range',
  'Referer',
  'Sec-Fetch-Site',
  'Transfer-Encoding',
  'Via',
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'X-Real-IP',
] as const;

/** Each of them in Connection: alone, beside close, in another case, on a second line. */
export function namedInConnection(): readonly Row[] {
  const mixed = (name: string) => [...name].map((c, at) => (at % 2 ? c.toUpperCase() : c.toLowerCase())).join('');
  return sensitive.flatMap((name) =>
    [
      `Connection: ${name}`,
      `Connection: close, ${name}`,
      `Connection: ${mixed(name)},,x`,
      `Connection: keep-alive\r\nconnection:\t${name}`,
    ].map((lines): Row => [lines, `GET /s6 HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n`, [400]]),
  );
}
