/** Raw inputs that servers have read in different ways, with what must become of each. */

/** `served`: forwarded as the request it is, whatever is ignored after it. Numbers: refused with one of these statuses. */
export type Verdict = 'served' | readonly number[];
export type Row = readonly [name: string, text: string, verdict: Verdict];

const P = 'POST / HTTP/1.1\r\nHost: a\r\n';
const G = 'GET / HTTP/1.1\r\nHost: a\r\n';
const C = `${P}Transfer-Encoding: chunked\r\n\r\n`;
const bad = [400];

export const lengths: readonly Row[] = [
  ['cl+te', `${P}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, bad],
  ['te+cl', `${P}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`, bad],
  ['cl-dup-same', `${P}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`, bad],
  ['cl-dup-diff', `${P}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`, bad],
  ['cl-list-same', `${P}Content-Length: 3, 3\r\n\r\nabc`, bad],
  ['cl-plus', `${P}Content-Length: +3\r\n\r\nabc`, bad],
  ['cl-minus', `${P}Content-Length: -3\r\n\r\nabc`, bad],
  ['cl-hex', `${P}Content-Length: 0x3\r\n\r\nabc`, bad],
  ['cl-float', `${P}Content-Length: 3.0\r\n\r\nabc`, bad],
  ['cl-leading0', `${P}Content-Length: 0003\r\n\r\nabc`, 'served'],
  ['cl-empty', `${P}Content-Length: \r\n\r\n`, bad],
  ['cl-space-mid', `${P}Content-Length: 1 2\r\n\r\nabcdefghijkl`, bad],
  ['cl-suffix', `${P}Content-Length: 3Z\r\n\r\nabc`, bad],
  ['cl-2^53', `${P}Content-Length: 9007199254740993\r\n\r\na`, bad],
  ['cl-2^64', `${P}Content-Length: 18446744073709551617\r\n\r\na`, bad],
  ['cl-quoted', `${P}Content-Length: "3"\r\n\r\nabc`, bad],
  ['cl-space-before-colon', `${P}Content-Length : 3\r\n\r\nabc`, bad],
  ['cl-get', `${G}Content-Length: 3\r\n\r\nabc`, 'served'],
  [
    'cl-then-second',
    `${P}Content-Length: 6\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\nXGET /s HTTP/1.1\r\nHost: a\r\n\r\n`,
    bad,
  ],
  ['extra-crlf-after-post', `${P}Content-Length: 3\r\n\r\nabc\r\n${G}\r\n`, 'served'],
];

export const codings: readonly Row[] = [
  ['te-space-before-colon', `${P}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`, bad],
  ['te-tab-value', `${P}Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n`, 'served'],
  ['te-case', `${P}tRANSFER-eNCODING: cHuNkEd\r\n\r\n0\r\n\r\n`, 'served'],
  ['te-xchunked', `${P}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, bad],
  ['te-identity', `${P}Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc`, bad],
  ['te-chunked-identity', `${P}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`, bad],
  ['te-identity-chunked', `${P}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n`, bad],
  ['te-gzip-chunked', `${P}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, bad],
  ['te-comma-chunked', `${P}Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n`, bad],
  ['te-chunked-comma', `${P}Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n`, bad],
  ['te-dup', `${P}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, bad],
  ['te-dup-x', `${P}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n`, bad],
  ['te-empty', `${P}Transfer-Encoding:\r\n\r\n0\r\n\r\n`, bad],
  ['te-quoted', `${P}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`, bad],
  ['te-a0', `${P}Transfer-Encoding: \xa0chunked\xa0\r\n\r\n0\r\n\r\n`, bad],
  ['te-vt', `${P}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`, bad],
  ['te-param', `${P}Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n`, bad],
  ['te-http10', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', bad],
];

export const chunks: readonly Row[] = [
  ['chunk-0x', `${C}0x3\r\nabc\r\n0\r\n\r\n`, bad],
  ['chunk-minus0', `${C}-0\r\n\r\n`, bad],
  ['chunk-underscore', `${C}0_3\r\nabc\r\n0\r\n\r\n`, bad],
  ['chunk-leading-sp', `${C} 3\r\nabc\r\n0\r\n\r\n`, bad],
  ['chunk-trailing-sp', `${C}3 \r\nabc\r\n0\r\n\r\n`, bad],
  ['chunk-overflow', `${C}10000000000000003\r\nabc\r\n0\r\n\r\n`, bad],
  ['chunk-ext', `${C}3;foo=bar\r\nabc\r\n0\r\n\r\n`, 'served'],
  ['chunk-ext-quoted', `${C}3;foo="b\\"ar"\r\nabc\r\n0\r\n\r\n`, 'served'],
  ['chunk-ext-cr', `${C}3;a=b\r\rXabc\r\n0\r\n\r\n`, bad],
  ['chunk-ext-lf', `${C}3;a=b\nXabc\r\n0\r\n\r\n`, bad],
  ['chunk-ext-20k', `${C}3;${'a'.repeat(20_000)}\r\nabc\r\n0\r\n\r\n`, [400, 413]],
  ['chunk-lf-data', `${C}3\r\nabc\n0\r\n\r\n`, bad],
  ['chunk-lf-all', `${C}3\nabc\n0\n\n`, bad],
  ['chunk-rX', `${C}5\r\r;ABCD\r\n34\r\nE\r\n0\r\n\r\n`, bad],
  ['chunk-too-long', `${C}3\r\nabcd\r\n0\r\n\r\n`, bad],
  ['chunk-term-XX', `${C}0\r\nX:POST / HTTP/1.1\r\n\r\n`, 'served'],
  ['chunk-none', `${C}\r\n`, bad],
  ['trailer-cookie', `${C}3\r\nabc\r\n0\r\nCookie: JSESSIONID=x\r\n\r\n`, 'served'],
  ['trailer-cl', `${C}3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n`, bad],
  ['trailer-te', `${C}3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n`, bad],
  ['trailer-fold', `${C}0\r\nX: a\r\n b\r\n\r\n`, bad],
  ['trailer-100k', `${C}0\r\nX: ${'a'.repeat(100_000)}\r\n\r\n`, [431]],
  ['long-then-bad-chunk', `${C}11170\r\n${'x'.repeat(70_000)}\r\nzz\r\n`, bad],
];

export const lines: readonly Row[] = [
  ['lf-only', 'GET / HTTP/1.1\nHost: a\n\n', bad],
  ['lf-in-head', 'GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n', bad],
  ['cr-header', `${G}X: 1\rY: 2\r\n\r\n`, bad],
  ['cr-bare-end', `${G}\rZGET /evil: HTTP/1.1\r\nHost: a\r\n\r\n`, bad],
  ['nul-value', `${G}X: a\0b\r\n\r\n`, bad],
  ['ctl-value', `${G}X: a\x01b\r\n\r\n`, bad],
  ['del-value', `${G}X: a\x7fb\r\n\r\n`, bad],
  ['obsfold', `${G}X: a\r\n b\r\n\r\n`, bad],
  ['obsfold-first', 'GET / HTTP/1.1\r\n Host: a\r\nX: 1\r\n\r\n', bad],
  ['no-colon', `${G}XYZ\r\n\r\n`, bad],
  ['empty-name', `${G}: v\r\n\r\n`, bad],
  ['name-utf8', `${G}\xc3\xa9: v\r\n\r\n`, bad],
  ['name-x85', `${G}Content-Length\x85: 3\r\n\r\nabc`, bad],
  ['name-at', `${G}@x: v\r\n\r\n`, bad],
  ['name-underscore', `${G}Content_Length: 3\r\nX_Forwarded_For: 6.6.6.6\r\nX_Own: 1\r\n\r\n`, 'served'],
  ['leading-sp-line', ' GET / HTTP/1.1\r\nHost: a\r\n\r\n', bad],
  ['leading-crlf', `\r\n${G}\r\n`, 'served'],
  ['__proto__-hdr', `${G}__proto__: x\r\nconstructor: y\r\ntoString: z\r\n\r\n`, 'served'],
  ['cookie-dup', `${G}Cookie: JSESSIONID=a\r\nCookie: JSESSIONID=b\r\n\r\n`, 'served'],
  ['hdr-16k', `${G}X: ${'a'.repeat(15_000)}\r\n\r\n`, 'served'],
  ['hdr-17k', `${G}X: ${'a'.repeat(17_000)}\r\n\r\n`, [431]],
  ['hdr-count-2100', `${G}${'a: b\r\n'.repeat(2_100)}\r\n`, [431]],
  ['hdr-count-then-cookie', `${G}${'a: b\r\n'.repeat(2_100)}Cookie: JSESSIONID=late\r\n\r\n`, [431]],
  ['tls-hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', bad],
];

export const starts: readonly Row[] = [
  ['host-missing', 'GET / HTTP/1.1\r\n\r\n', bad],
  ['host-empty', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', bad],
  ['host-dup', `${G}Host: b\r\n\r\n`, bad],
  ['host-invalid', 'GET / HTTP/1.1\r\nHost: a b/../@x\r\n\r\n', bad],
  ['abs-form', 'GET http://b/p HTTP/1.1\r\nHost: a\r\n\r\n', 'served'],
  ['abs-form-https', 'GET https://b/p HTTP/1.1\r\nHost: a\r\n\r\n', 'served'],
  ['asterisk-get', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', bad],
  ['connect-badport', 'CONNECT b HTTP/1.1\r\nHost: b\r\n\r\n', bad],
  ['connect', 'CONNECT b:443 HTTP/1.1\r\nHost: b\r\n\r\n', [405]],
  ['path-noslash', 'GET foo HTTP/1.1\r\nHost: a\r\n\r\n', bad],
  ['path-dslash', 'GET //evil.com/%2e%2e HTTP/1.1\r\nHost: a\r\n\r\n', 'served'],
  ['path-space', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n', bad],
  ['path-utf8', 'GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n', bad],
  ['path-nul', 'GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n', bad],
  ['path-fragment', 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n', bad],
  ['path-8k', `GET /${'a'.repeat(8_191)} HTTP/1.1\r\nHost: a\r\n\r\n`, 'served'],
  ['path-9k', `GET /${'a'.repeat(9_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, [414]],
  ['method-lower', 'get / HTTP/1.1\r\nHost: a\r\n\r\n', bad],
  ['method-unknown', 'FOO / HTTP/1.1\r\nHost: a\r\n\r\n', bad],
  ['method-pri', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', bad],
  ['method-trace', 'TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\nCookie: s=1\r\n\r\n', [405]],
  ['version-1.2', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', bad],
  ['version-0.9', 'GET /\r\n\r\n', [400, 505]],
  ['version-2.0', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', [505]],
  ['version-1.32', 'GET / HTTP/1.32\r\nHost: a\r\n\r\n', bad],
  ['version-3digit', 'GET / HTTP/1.10\r\nHost: a\r\n\r\n', bad],
  ['version-lower', 'GET / http/1.1\r\nHost: a\r\n\r\n', bad],
  ['http10-nohost', 'GET / HTTP/1.0\r\n\r\n', 'served'],
];

export const connections: readonly Row[] = [
  ['expect-100', `${P}Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc`, 'served'],
  ['expect-other', `${P}Content-Length: 3\r\nExpect: 200-ok\r\n\r\nabc`, [417]],
  ['upgrade-other', `${G}Connection: Upgrade\r\nUpgrade: foo\r\n\r\n${G}\r\n`, bad],
  ['upgrade-bare', `${G}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n${G}\r\n`, bad],
  [
    'upgrade-h2c',
    `${G}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n`,
    'served',
  ],
  ['conn-close-pipelined', `${G}Connection: close\r\n\r\n${G}X: second\r\n\r\n`, 'served'],
  ['conn-keepalive-close', `${G}Connection: keep-alive, close\r\n\r\n`, 'served'],
  ['conn-lists-cookie', `${G}Connection: close, Cookie, X-Forwarded-For\r\nCookie: JSESSIONID=abc\r\n\r\n`, bad],
  ['pipelined', `${G}\r\n${C}3\r\nabc\r\n0\r\n\r\n${G}\r\n`, 'served'],
];

/** Every row of the table of raw inputs. */
export const corpus: readonly Row[] = [...lengths, ...codings, ...chunks, ...lines, ...starts, ...connections];
